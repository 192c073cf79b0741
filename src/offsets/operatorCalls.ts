import type { TopicPartition } from '../model/index.ts';
import type { CommittedRange, Control } from './ledgerEntries.ts';

/**
 * What operators do to a ledger, beside its workers. Whatever changes a row takes its claim away and raises its epoch in the
 * same transaction: a process that works under the old claim is fenced, claims again and goes on from what it finds.
 *
 * Without the capability `history` the answers of `ranges` and `newestRanges` are empty, without `controls` those of
 * `controls`; what needs a capability that is missing rejects with STORE_INCAPABLE. Operations of one call are all or
 * nothing.
 */
export interface OperatorCalls {
  /**
   * The history by topic, partition and seq, in pages of at most `limit` rows: what follows `after`, undefined = from the
   * beginning. Of the named topics only, where given. Fewer rows than `limit` = the end.
   */
  ranges(query: RangesQuery): Promise<readonly CommittedRange[]>;
  /** At most `limit` of the newest rows of the history of each partition (all of them where none is named), newest first by time. */
  newestRanges(limit: number, of?: readonly TopicPartition[]): Promise<readonly CommittedRange[]>;
  /**
   * Moves positions, each only while its row is as it was seen. Answers the partitions that were not: then nothing is changed.
   * The row is `running` afterwards, nobody's, with a raised epoch. Repeating it after a lost answer succeeds.
   */
  move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]>;
  /**
   * Removes rows, each only while it is as it was seen; answers like `move`. The history stays and gets a row of kind `reset` with
   * the raised epoch: should the partition come back, its epoch goes on rising. Orders for a partition end with it.
   */
  remove(rows: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]>;
  /** Takes the claims of these partitions away. Parked ones are `running` again: whoever claims them tries again. */
  interrupt(of: readonly TopicPartition[]): Promise<void>;
  /**
   * Gives orders and interrupts the partitions they are about, so that from its answer on nothing is committed against them: a
   * worker reads the orders after every claim, before it plans. Answers the orders as they are kept. Rejects with LEDGER_MOVED,
   * and keeps none, when the position of a partition has passed the first offset of its skip.
   */
  order(orders: readonly NewControl[], by: string): Promise<readonly Control[]>;
  /** Ends orders by id; unknown ones are no error. Orders to skip also end when a gap or a reset brings the position to their end. */
  withdraw(ids: readonly bigint[]): Promise<void>;
}

export interface RangesQuery {
  readonly topics?: readonly string[];
  readonly after?: (TopicPartition & { readonly seq: bigint }) | undefined;
  readonly limit: number;
}

/** A row as it was read: what a command was decided on. */
export interface SeenRow extends TopicPartition {
  readonly nextOffset: bigint;
  readonly claim: string | null;
  readonly ownerEpoch: bigint;
}

interface MoveTarget extends TopicPartition {
  /** Next offset afterwards. */
  readonly toOffset: bigint;
  /** For people, in the history. */
  readonly reason: string;
}

/**
 * `reset`: to any offset, of the topic with this id; begins the next incarnation and forgets the leader epoch. A partition
 * without a row (`seen` undefined) gets one, should it still have none.
 * `gap`: forward in the same incarnation, past offsets that nobody will process; leaves a row of kind `gap`.
 */
export type PositionMove =
  | (MoveTarget & { readonly kind: 'reset'; readonly topicId: string; readonly seen: SeenRow | undefined })
  | (MoveTarget & { readonly kind: 'gap'; readonly seen: SeenRow });

/** An order to be given; `skip` names topic, partition and both offsets. */
export type NewControl = Omit<Control, 'id' | 'orderedBy' | 'orderedAtMs'>;
