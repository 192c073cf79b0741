export { noCounts, type RangeCounts } from './counts.ts';
export {
  type DeliveryGuarantee,
  deliveryGuarantees,
  type RecordPolicy,
  type ResetPolicy,
  recordPolicies,
  resetPolicies,
} from './delivery.ts';
export { OffsetRange } from './offsetRange.ts';
export type { PartitionBounds } from './partitionBounds.ts';
export { isReceiverTopic, receiverTopic } from './receiverTopic.ts';
export type {
  KafkaRecord,
  RawRecordBatch,
  RecordChunk,
  RecordCursor,
  RecordHeaders,
  TimestampType,
} from './record.ts';
export {
  byTopic,
  comparePartitions,
  type PartitionKey,
  partitionKey,
  partitionName,
  type TopicPartition,
} from './topicPartition.ts';
