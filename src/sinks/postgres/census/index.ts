export { type CensusTable, censusTable, openRowCensus, type RowCensus, type RowRun } from './rowCensus.ts';
