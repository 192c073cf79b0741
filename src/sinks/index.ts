export { type ColumnSource, parseColumnSource } from './postgres/mapping/columnSource.ts';
export type { Row, Sink, SinkContext, SinkDefinition, SinkTransaction } from './sink.ts';
