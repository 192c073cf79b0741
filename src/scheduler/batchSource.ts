import type { TidemarkError } from '../errors.ts';
import type { OffsetRange, PartitionBounds, RecordChunk, TopicPartition } from '../model/index.ts';

/** Where a partition goes on: the row of the ledger, as far as a source needs it. */
export interface SourcePosition extends TopicPartition {
  readonly nextOffset: bigint;
  readonly topicId: string;
  /** Of the last batch read below `nextOffset`; -1 = unknown. */
  readonly leaderEpoch: number;
}

/** What a source says of a position before it is used (I7). */
export type PositionVerdict =
  | { readonly kind: 'good' }
  /** `[nextOffset, untilOffset)` is gone and policy accepts that. */
  | { readonly kind: 'gap'; readonly untilOffset: bigint; readonly reason: string }
  /** The partition must stop. */
  | { readonly kind: 'stop'; readonly error: TidemarkError };

/** A partition the scheduler could give work now. */
export interface PlannablePartition extends TopicPartition {
  /** Where the next range begins. */
  readonly position: bigint;
  /** The range must not go beyond: an operator ordered a skip there. */
  readonly untilMax: bigint | undefined;
}

export interface ReadyPlan {
  readonly ranges: readonly OffsetRange[];
  /** Look again after this many ms even if nothing new is heard; undefined = only when something is. */
  readonly lookAgainMs: number | undefined;
}

/**
 * Where batches come from: what direct and receiver mode share.
 *
 * `verify` before `open`; `seek` and `close` only while no read of the partition is under way, or after its signal was aborted.
 * `onReady` (given to the constructor of the source) is called whenever a plan could have a different result.
 */
export interface BatchSource {
  verify(positions: readonly SourcePosition[]): Promise<readonly PositionVerdict[]>;
  open(position: SourcePosition): void;
  /** Drops what was read ahead and goes on from `offset`. */
  seek(of: TopicPartition, offset: bigint): void;
  close(of: TopicPartition): void;
  /** Continuous mode: ranges of partitions that have data now and waited long enough. Never blocks. */
  planReady(partitions: readonly PlannablePartition[], rate: number | undefined): ReadyPlan;
  /** Interval mode: one range per partition at this tick, empty ones included. */
  planTick(partitions: readonly PlannablePartition[], rate: number | undefined): Promise<readonly OffsetRange[]>;
  /**
   * The chunks of exactly the range, in order, the last one ending at `untilOffset`. In continuous mode it may end
   * sooner, at a chunk's end, when the source stalls. Rejects with why it cannot go on.
   */
  read(range: OffsetRange, signal: AbortSignal): AsyncIterable<RecordChunk>;
  /** Newest bounds known; undefined before the first answer. */
  bounds(of: TopicPartition): PartitionBounds | undefined;
  /** What is being retried for this partition now. */
  retrying(of: TopicPartition): Error | undefined;
}
