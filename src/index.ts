export { type ErrorCode, errorCodes, isTidemarkError, TidemarkError } from './errors.ts';
export {
  type DeliveryGuarantee,
  type KafkaRecord,
  OffsetRange,
  type PartitionBounds,
  type RangeCounts,
  type RecordHeaders,
  type RecordPolicy,
  type ResetPolicy,
  type TimestampType,
  type TopicPartition,
} from './model/index.ts';
export {
  definePipeline,
  type PartitionStatus,
  type Pipeline,
  type PipelineHost,
  type PipelineOptions,
  type PipelineResult,
  type PipelineStatus,
  type StartOptions,
  type Transform,
} from './pipeline/index.ts';
export type {
  ReceivedRecord,
  Receiver,
  ReceiverContext,
  ReceiverDefinition,
  ReceiverStatus,
} from './receiver/index.ts';
export type { BatchTransform, RecordTransform, TransformContext, TransformResult } from './scheduler/index.ts';
export type { Row, Sink, SinkContext, SinkDefinition, SinkTransaction } from './sinks/index.ts';
export type { PipelineEventSource, PipelineEvents, PipelineState } from './telemetry/index.ts';
