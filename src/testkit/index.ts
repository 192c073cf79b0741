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
