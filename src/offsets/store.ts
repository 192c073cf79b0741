import type { OffsetRange, PartitionBounds, RangeCounts, TopicPartition } from '../model/index.ts';
import type { ProcessIdentity } from '../platform/index.ts';
import type { CommittedRange, Control } from './ledgerEntries.ts';
import type { OperatorCalls } from './operatorCalls.ts';

/**
 * The ledger: where a pipeline's positions live, who owns each partition, and what was committed.
 *
 * Call order: `open` once, then `registerOwner`, then anything concurrently, `close` once. Every method rejects with a
 * TidemarkError; STORE_UNREACHABLE and other retriable ones changed nothing that a repetition would double: each
 * operation is a compare-and-set or idempotent. Operations of one call are all or nothing.
 */
export interface OffsetStore extends OperatorCalls {
  readonly capabilities: StoreCapabilities;
  /**
   * `use`, the default: connects, creates or migrates what the store needs. `look`: only to read; creates nothing, and a place where no
   * pipeline was ever started reads as empty. Rejects with STORE_UNREACHABLE, STORE_AUTHENTICATION_FAILED,
   * STORE_SCHEMA_UNSUPPORTED, STORE_LOCKED.
   */
  open(purpose?: 'use' | 'look'): Promise<void>;
  /** Also while `open` or other calls are pending: those are cut and reject, whatever became of them in the store. */
  close(): Promise<void>;
  /** Makes this process known as an owner of the pipeline. Repeating it is the heartbeat. */
  registerOwner(identity: ProcessIdentity): Promise<void>;
  /** Owners of the pipeline with the age of their heartbeat, measured by the store's clock. */
  owners(): Promise<readonly OwnerStatus[]>;
  /** Every row of the pipeline, or those of the topics, ordered by topic and partition. */
  read(topics?: readonly string[]): Promise<readonly StoredOffset[]>;
  /**
   * Inserts rows, unowned, all or nothing. Rows that exist are left as they are: two processes that start at once agree on
   * whoever was first. Each inserted row begins a new incarnation's history with a `base` row that ends at its offset. A row
   * that was removed comes back with the next incarnation, and its epoch goes on rising.
   */
  initialise(positions: readonly FirstPosition[]): Promise<void>;
  /**
   * Takes partitions with fresh claims, each only if its row still carries the claim that was seen (compare-and-set).
   * Never writes `nextOffset`. A parked partition is `running` again: whoever claims it tries again. Answers one outcome per
   * request, in order.
   */
  claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]>;
  /**
   * Gives partitions back, only those whose claim is still ours; the epoch stays. Answers which are nobody's since our claim, so
   * that a repetition answers the same.
   */
  release(claims: readonly HeldClaim[]): Promise<readonly boolean[]>;
  /** Sets the state of a partition we hold; LEDGER_FENCED when we do not. `running` clears the reason. */
  setState(claim: HeldClaim, state: PartitionState, reason: string | null): Promise<void>;
  /**
   * Puts another topic id into the row of a partition we hold, only if it still is `seenTopicId` (compare-and-set). LEDGER_FENCED
   * when the claim is not ours; LEDGER_MOVED when the topic id is another one. Repeating it after a lost answer succeeds: the row
   * then has `topicId` already. A receiver that numbers its records itself keeps the open id of its log there.
   */
  swapTopicId(claim: HeldClaim, seenTopicId: string, topicId: string): Promise<void>;
  /**
   * Commits ranges that have no output in a sink of this store (gaps, or everything where the sink is not transactional):
   * all or nothing. LEDGER_FENCED, LEDGER_MOVED, LEDGER_TAMPERED (the history does not end where the range starts),
   * COMMIT_IN_DOUBT, or INVARIANT_BROKEN for counts that do not add up (I6). Contiguous batch ranges of one claim merge in the
   * history, up to a minute of batch time or a million records. A gap ends the orders to skip
   * that lie behind it.
   */
  commitRanges(commits: readonly RangeCommit[]): Promise<void>;
  /** Newest history row of a partition, undefined for one the ledger does not know. */
  newestRange(of: TopicPartition): Promise<CommittedRange | undefined>;
  /** What operators ordered. */
  controls(): Promise<readonly Control[]>;
}

export interface StoreCapabilities {
  /** A commit under a claim that is no longer in the row fails (I3). */
  readonly fenced: boolean;
  readonly history: boolean;
  readonly controls: boolean;
}

export const partitionStates = ['running', 'paused', 'parked'] as const;
export type PartitionState = (typeof partitionStates)[number];

export interface StoredOffset extends TopicPartition {
  readonly nextOffset: bigint;
  /** Fencing token; null = nobody's. */
  readonly claim: string | null;
  /** Instance id of the holder of the claim. */
  readonly owner: string | null;
  /** Counts claims and commands; only rises. */
  readonly ownerEpoch: bigint;
  readonly topicId: string;
  /** Of the last batch read below `nextOffset`; -1 = unknown. */
  readonly leaderEpoch: number;
  /** Counts resets: I1 holds within an incarnation. */
  readonly incarnation: bigint;
  readonly state: PartitionState;
  readonly reason: string | null;
  /** Age of the last change in ms, by the store's clock. */
  readonly ageMs: number;
}

export interface OwnerStatus extends ProcessIdentity {
  /** Age of the last heartbeat in ms, by the store's clock. */
  readonly heartbeatAgeMs: number;
}

export interface FirstPosition extends TopicPartition {
  readonly nextOffset: bigint;
  readonly topicId: string;
}

export interface ClaimRequest extends TopicPartition {
  /** The claim that was read from the row; null when it was nobody's. */
  readonly seenClaim: string | null;
}

/** Our hold on a partition. The token fences; the epoch is for people and for ordering. */
export interface HeldClaim extends TopicPartition {
  readonly claim: string;
  readonly ownerEpoch: bigint;
}

export type ClaimOutcome =
  | { readonly claimed: true; readonly held: HeldClaim; readonly row: StoredOffset }
  /** Somebody else moved first; `row` is what is there now, undefined when the row is gone. */
  | { readonly claimed: false; readonly row: StoredOffset | undefined };

/** One range to commit: the row must stand at `range.fromOffset` under `held`, and moves to `range.untilOffset`. */
export interface RangeCommit {
  readonly range: OffsetRange;
  readonly held: HeldClaim;
  readonly counts: Readonly<RangeCounts>;
  /** Of the last batch read in the range; -1 leaves the stored one. */
  readonly leaderEpoch: number;
  /** Time of the batch, ms since 1970. */
  readonly batchTimeMs: number;
  /** `gap` = a loss that was accepted; needs a reason. */
  readonly kind: 'batch' | 'gap';
  readonly reason: string | null;
}

/** Lag against the readable end: what a reader of committed records still has to do. */
export function lagOf(nextOffset: bigint, bounds: PartitionBounds): bigint {
  const lag = bounds.lastStableOffset - nextOffset;
  return lag > 0n ? lag : 0n;
}
