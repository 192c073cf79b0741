export { type ColumnSource, parseColumnSource } from './postgres/mapping/columnSource.ts';
export { withSeparateStore } from './separateStore.ts';
export type { Row, Sink, SinkContext, SinkDefinition, SinkTransaction } from './sink.ts';
