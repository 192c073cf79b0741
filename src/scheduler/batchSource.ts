import type { OffsetRange, PartitionBounds, RecordChunk, TopicPartition } from '../model/index.ts';
import type { HeldClaim, PositionVerdict, ReadUpTo } from '../offsets/index.ts';

/** Where a partition goes on: the row of the ledger, as far as a source needs it. */
export interface SourcePosition extends ReadUpTo {
  /** The claim it is worked on under. */
  readonly held: HeldClaim;
  /** The claim in the row before that one; null = nobody's, or a partition that goes on under the claim it had. */
  readonly claimBefore: string | null;
}

/** A partition the scheduler could give work now. */
export interface PlannablePartition extends TopicPartition {
  /** Where the next range begins. */
  readonly position: bigint;
  /** The range must not go beyond: an operator ordered a skip there. */
  readonly untilMax: bigint | undefined;
}

/** What one batch has to do. */
export interface BatchPlan {
  /** In offset order; those of one partition follow each other without a gap and are committed one after the other. */
  readonly ranges: readonly OffsetRange[];
  /** Time of the batch where the source has decided on it, ms since 1970; undefined = now. */
  readonly batchTimeMs?: number;
}

export interface ReadyPlan extends BatchPlan {
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
  /** `isFenced`: another owner has it by now. */
  close(of: TopicPartition, isFenced?: boolean): void;
  /** Continuous mode: ranges of partitions that have data now and waited long enough. Never blocks. */
  planReady(partitions: readonly PlannablePartition[], rate: number | undefined): ReadyPlan;
  /** Interval mode: the ranges of this tick, ordered as those of `planReady`; where ranges are planned, empty ones included. */
  planTick(partitions: readonly PlannablePartition[], rate: number | undefined, tickMs: number): Promise<BatchPlan>;
  /**
   * The chunks of exactly the range, in order, the last one ending at `untilOffset`. In continuous mode it may end
   * sooner, at a chunk's end, when the source stalls. Rejects with why it cannot go on.
   */
  read(range: OffsetRange, signal: AbortSignal): AsyncIterable<RecordChunk>;
  /** An open partition goes on under a fresh claim: its owner could not know what had become of a commit. */
  reclaimed(held: HeldClaim): void;
  /** Offsets below `nextOffset` are committed; not called for what is committed elsewhere. */
  committed(of: TopicPartition, nextOffset: bigint): void;
  /** Takes nothing in any more; resolves when what was taken in can be planned. Again is a no-op. */
  endIntake(): Promise<void>;
  /** Whether something was taken in that a plan for these partitions could still hold. */
  hasTakenIn(partitions: readonly PlannablePartition[]): boolean;
  /** Newest bounds known; undefined before the first answer. */
  bounds(of: TopicPartition): PartitionBounds | undefined;
  /** Timestamp of the first record at or after `position` that waits in memory; undefined when none does, or it has none. */
  nextTimestampMs(of: TopicPartition, position: bigint): number | undefined;
  /** What is being retried for this partition now. */
  retrying(of: TopicPartition): Error | undefined;
}
