// The ports that the suites are about, for those who implement them.
export type {
  CommittedOffset,
  DriverCapabilities,
  DriverDefinition,
  EpochEndOffset,
  Fetcher,
  FetcherOptions,
  FollowStart,
  GroupMembership,
  GroupProtocol,
  KafkaDriver,
  MembershipCapabilities,
  MembershipListener,
  MembershipLoss,
  MembershipOptions,
  PartitionStream,
  TopicDescription,
} from '../kafka/index.ts';
export type { PartitionBounds, RecordChunk, RecordCursor, TopicPartition } from '../model/index.ts';
export type {
  ClaimOutcome,
  ClaimRequest,
  CommittedRange,
  Control,
  FirstPosition,
  HeldClaim,
  OffsetStore,
  OwnerStatus,
  PartitionState,
  RangeCommit,
  StoreCapabilities,
  StoredOffset,
} from '../offsets/index.ts';
export type { Clock, ProcessIdentity } from '../platform/index.ts';
export type { ReceivedRecord, Receiver, ReceiverContext } from '../receiver/index.ts';
export type { Row, Sink, SinkContext, SinkDefinition, SinkTransaction } from '../sinks/index.ts';
export { pack, type TestCodec, testCodecs } from './codecPackers.ts';
export {
  type DriverEnvironment,
  type DriverSuite,
  driverConformance,
  type OpenTransaction,
  type ProducedRecord,
  type SuiteRunner,
} from './driverConformance/index.ts';
export {
  type MemberProcess,
  type MembershipEnvironment,
  type MembershipSuite,
  membershipConformance,
} from './membershipConformance/index.ts';
export {
  type CallFacts,
  type CompactionOptions,
  type DatabaseCall,
  type Fault,
  type FaultOptions,
  type Faults,
  type GroupMemberState,
  type GroupState,
  type HeldCall,
  type Hold,
  type KafkaCall,
  ManualClock,
  MemoryCluster,
  type MemoryClusterOptions,
  MemoryDatabase,
  type MemoryDatabaseOptions,
  type MemoryDriver,
  type MemoryProducer,
  MemoryReceiverContext,
  type MemoryRecord,
  type MemoryRow,
  type MemorySink,
  type MemoryStore,
  type MemoryTransaction,
  type Refusal,
  type StoreCall,
} from './memory/index.ts';
export {
  assembleRecordBatch,
  encodeRecordBatch,
  encodeTransactionMarker,
  type RecordBatchSpec,
  type RecordSpec,
  recordBatchLayout,
  sealRecordBatch,
} from './recordBatchEncoder.ts';
export {
  type InputRecord,
  type RecordOutcome,
  type RecordResult,
  type RunPipelineOptions,
  type RunPipelineResult,
  runPipeline,
} from './runPipeline.ts';
export {
  type SinkEnvironment,
  type SinkSuite,
  type SinkTarget,
  type StoredRow,
  sinkConformance,
} from './sinkConformance/index.ts';
export {
  type LedgerPlace,
  type StoreEnvironment,
  type StoreSuite,
  storeConformance,
} from './storeConformance/index.ts';
