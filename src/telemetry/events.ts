import type { TidemarkError } from '../errors.ts';
import type { DeliveryGuarantee, OffsetRange, RangeCounts, TopicPartition } from '../model/index.ts';

/**
 * The states of a pipeline. `created` → `starting` → `running` → `stopping` → `stopped`; `starting` and `running` can go
 * to `stopping` at any time. There is no way back: a stopped pipeline is defined anew.
 */
export const pipelineStates = ['created', 'starting', 'running', 'stopping', 'stopped'] as const;
export type PipelineState = (typeof pipelineStates)[number];

/** Why durable blocks of a Kafka partition are of no use: received under another claim, from another topic of the name or behind a gap; the partition goes on at another offset; it was given up. */
export type DiscardCause = 'claim' | 'seek' | 'release';

/** `rate`: Redis, which the shared rate is held in; `mirror`: the consumer group takes no copy of the positions, which keeps nothing from working. */
export type DegradedPart = 'kafka' | 'store' | 'sink' | 'log' | 'rate' | 'eventLoop' | 'mirror';

/** Everything a pipeline tells, by event name. Listeners are called synchronously; what they throw is reported as `listenerFailed`. */
export interface PipelineEvents {
  /** The life cycle moved on. */
  stateChanged: { readonly state: PipelineState; readonly previous: PipelineState };
  /**
   * Output and offsets are committed one after the other, to places that know nothing of each other: what was in between when a
   * process dies is done again. Once, at start; never with exactly-once.
   */
  committedApart: { readonly sink: string; readonly store: string; readonly delivery: DeliveryGuarantee };
  /** The offset store may lose what it has committed, by its own settings. At start. */
  storeWarned: { readonly warning: string };
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
  /** Receiver mode: a block is durable; from here on its records reach the sink exactly once. */
  blockLogged: TopicPartition & {
    readonly blockId: string;
    readonly fromOffset: bigint;
    readonly untilOffset: bigint;
    readonly records: number;
    readonly bytes: number;
  };
  /** Durable blocks will never be committed, because the partition goes on elsewhere or from another place; Kafka has the records. */
  blocksDiscarded: TopicPartition & {
    readonly blocks: number;
    readonly records: number;
    readonly cause: DiscardCause;
    readonly reason: string;
  };
  /** Receiver mode: entries of the log were synced to the disk, all that waited with one fsync. Milliseconds; a slow disk is seen here first. */
  logSynced: { readonly entries: number; readonly bytes: number; readonly ms: number };
  /** A receiver started, stopped, failed or waits to be started again; with `error` where something went wrong just now. */
  receiverChanged: {
    readonly receiver: string;
    readonly state: 'starting' | 'running' | 'restarting' | 'stopped';
    readonly restarts: number;
    /** `host:port` it listens on; undefined for one that does not. */
    readonly address: string | undefined;
    readonly error: TidemarkError | undefined;
  };
  /** Receiver mode, at the end: what the log still holds for the next start. Empty when everything was committed. */
  intakeClosed: {
    readonly dir: string;
    readonly waiting: readonly (TopicPartition & { readonly blocks: number; readonly records: number })[];
  };
  /** A record was passed over by policy; it is counted in the ledger. */
  recordSkipped: TopicPartition & { readonly offset: bigint; readonly error: TidemarkError };
  /** A loss that policy or an operator accepted was written into the ledger. */
  gapCommitted: { readonly range: OffsetRange; readonly reason: string };
  /** The back-pressure estimate changed, in records per second over all partitions. */
  rateChanged: { readonly recordsPerSecond: number };
  /** Something is being retried or is not as it should be, and work goes on. */
  degraded: { readonly what: DegradedPart; readonly error: TidemarkError };
  /** What was degraded works again. */
  recovered: { readonly what: DegradedPart };
  /** A listener of another event threw. */
  listenerFailed: { readonly event: string; readonly error: unknown };
}
