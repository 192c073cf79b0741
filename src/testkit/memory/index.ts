export { MemoryCluster, type MemoryClusterOptions } from './cluster.ts';
export type { CompactionOptions } from './compaction.ts';
export type { MemoryDriver } from './driver.ts';
export type { CallFacts, Fault, FaultOptions, Faults, HeldCall, Hold } from './faults.ts';
export type { KafkaCall } from './link.ts';
export { ManualClock } from './manualClock.ts';
export type { MemoryProducer, MemoryRecord, MemoryTransaction } from './producers.ts';
