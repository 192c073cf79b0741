import type { TidemarkError } from '../errors.ts';
import type { OffsetRange, RangeCounts, TopicPartition } from '../model/index.ts';

/**
 * The states of a pipeline. `created` → `starting` → `running` → `stopping` → `stopped`; `starting` and `running` can go
 * to `stopping` at any time. There is no way back: a stopped pipeline is defined anew.
 */
export const pipelineStates = ['created', 'starting', 'running', 'stopping', 'stopped'] as const;
export type PipelineState = (typeof pipelineStates)[number];

/** Everything a pipeline tells, by event name. Listeners are called synchronously; what they throw is reported as `listenerFailed`. */
export interface PipelineEvents {
  /** The life cycle moved on. */
  stateChanged: { readonly state: PipelineState; readonly previous: PipelineState };
  /** This process took a partition and will go on from `nextOffset`; from whom, where somebody held it. */
  partitionClaimed: TopicPartition & {
    readonly nextOffset: bigint;
    readonly ownerEpoch: bigint;
    readonly previousOwner: string | undefined;
  };
  /** Another live process owns the partition; this one stands by to take over. Once per owner. */
  partitionStandby: TopicPartition & { readonly owner: string };
  /** Another process took the partition from us; whatever was in flight left nothing behind. */
  partitionFenced: TopicPartition & { readonly error: TidemarkError };
  /** The partition was given back: at stop, or because the group gave it to another process. */
  partitionReleased: TopicPartition & { readonly nextOffset: bigint };
  /** The partition stopped for good and waits for a person; the others go on. */
  partitionParked: TopicPartition & { readonly nextOffset: bigint; readonly error: TidemarkError };
  /** An operator's pause took effect or ended. */
  partitionPaused: TopicPartition & { readonly reason: string };
  partitionResumed: TopicPartition;
  /** The consumer group gave out its partitions anew: these are ours now. Times in ms from when we heard of the rebalance. */
  groupBalanced: {
    readonly memberId: string;
    readonly generation: number;
    readonly tookMs: number;
    readonly partitions: readonly TopicPartition[];
  };
  /**
   * The consumer group counts this process out, so that others have its partitions; it joins again. `unconfirmedMs`: since the
   * group last confirmed the membership, where that is known; `blockedMs`: longest time the event loop stood still since.
   */
  groupMembershipLost: {
    readonly partitions: readonly TopicPartition[];
    readonly unconfirmedMs: number | undefined;
    readonly blockedMs: number;
    readonly error: TidemarkError;
  };
  /** A batch was planned; empty ranges are left out. */
  batchPlanned: { readonly batchTimeMs: number; readonly ranges: readonly OffsetRange[] };
  /** Every range of a batch ended: committed, parked or fenced. Delays as Spark's: waiting for its turn, and running. */
  batchCompleted: {
    readonly batchTimeMs: number;
    readonly records: number;
    readonly schedulingDelayMs: number;
    readonly processingDelayMs: number;
  };
  /** Rows and offsets of a range are committed, in one transaction. */
  rangeCommitted: {
    readonly range: OffsetRange;
    readonly counts: Readonly<RangeCounts>;
    readonly batchTimeMs: number;
    /** From the first record read to the answer of the commit. */
    readonly durationMs: number;
  };
  /** A range failed and will be done again from its start after `delayMs`. */
  rangeRetried: {
    readonly range: OffsetRange;
    readonly attempt: number;
    readonly delayMs: number;
    readonly error: TidemarkError;
  };
  /** A record was passed over by policy; it is counted in the ledger. */
  recordSkipped: TopicPartition & { readonly offset: bigint; readonly error: TidemarkError };
  /** A loss that policy or an operator accepted was written into the ledger. */
  gapCommitted: { readonly range: OffsetRange; readonly reason: string };
  /** The back-pressure estimate changed, in records per second over all partitions. */
  rateChanged: { readonly recordsPerSecond: number };
  /** Something is being retried or is not as it should be, and work goes on. */
  degraded: { readonly what: 'kafka' | 'store' | 'sink' | 'eventLoop'; readonly error: TidemarkError };
  /** What was degraded works again. */
  recovered: { readonly what: 'kafka' | 'store' | 'sink' | 'eventLoop' };
  /** A listener of another event threw. */
  listenerFailed: { readonly event: string; readonly error: unknown };
}
