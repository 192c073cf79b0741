import { TidemarkError } from '../../../errors.ts';
import {
  comparePartitions,
  type PartitionKey,
  partitionKey,
  partitionName,
  type TopicPartition,
} from '../../../model/index.ts';
import { newClaimToken, type ProcessIdentity } from '../../../platform/index.ts';
import type {
  ClaimOutcome,
  ClaimRequest,
  FirstPosition,
  HeldClaim,
  OwnerStatus,
  PartitionState,
  RangeCommit,
  StoredOffset,
} from '../../store.ts';

/** A row as it is kept; times in ms since 1970. */
export type Row = Omit<StoredOffset, 'ageMs'> & { readonly changedAtMs: number };

/** What is left of a row that was removed: should it come back, it goes on from here. */
export type Removed = Pick<Row, 'topic' | 'partition' | 'ownerEpoch' | 'incarnation'>;

export type Owner = ProcessIdentity & { readonly seenAtMs: number };

/** Everything a store without fencing keeps of a pipeline. */
export interface Book {
  readonly rows: ReadonlyMap<PartitionKey, Row>;
  readonly removed: ReadonlyMap<PartitionKey, Removed>;
  readonly owners: ReadonlyMap<string, Owner>;
}

export const emptyBook: Book = { rows: new Map(), removed: new Map(), owners: new Map() };

/**
 * A book that is being changed: a change that throws is thrown away with its draft, so that each call is all or nothing.
 * What the calls mean is said by the port, `OffsetStore`.
 */
export class Draft implements Book {
  readonly rows: Map<PartitionKey, Row>;
  readonly removed: Map<PartitionKey, Removed>;
  readonly owners: Map<string, Owner>;
  readonly #nowMs: number;

  constructor(book: Book, nowMs: number) {
    this.rows = new Map(book.rows);
    this.removed = new Map(book.removed);
    this.owners = new Map(book.owners);
    this.#nowMs = nowMs;
  }

  initialise(positions: readonly FirstPosition[]): void {
    for (const { topic, partition, nextOffset, topicId } of positions) {
      const key = partitionKey({ topic, partition });
      if (!this.rows.has(key)) this.insert({ topic, partition, nextOffset, topicId }, 0n);
    }
  }

  /** A row that is not there: the next incarnation of what was removed, or the first. */
  insert({ topic, partition, nextOffset, topicId }: FirstPosition, raiseEpochBy: bigint): void {
    const key = partitionKey({ topic, partition });
    const past = this.removed.get(key) ?? { ownerEpoch: 0n, incarnation: 0n };
    this.removed.delete(key);
    this.rows.set(key, {
      topic,
      partition,
      nextOffset,
      claim: null,
      owner: null,
      ownerEpoch: past.ownerEpoch + raiseEpochBy,
      topicId,
      leaderEpoch: -1,
      incarnation: past.incarnation + 1n,
      state: 'running',
      reason: null,
      changedAtMs: this.#nowMs,
    });
  }

  claim(owner: string, requests: readonly ClaimRequest[]): readonly ClaimOutcome[] {
    return requests.map(({ topic, partition, seenClaim }) => {
      const row = this.rows.get(partitionKey({ topic, partition }));
      if (row === undefined) return { claimed: false, row: undefined };
      if (row.claim !== seenClaim) return { claimed: false, row: stored(row, this.#nowMs) };
      const claim = newClaimToken();
      const taken = this.change(row, { ...tryAgain(row), claim, owner, ownerEpoch: row.ownerEpoch + 1n });
      const held = { topic, partition, claim, ownerEpoch: taken.ownerEpoch };
      return { claimed: true, held, row: stored(taken, this.#nowMs) };
    });
  }

  release(claims: readonly HeldClaim[]): readonly boolean[] {
    return claims.map((held) => {
      const row = this.rows.get(partitionKey(held));
      const after = row?.claim === held.claim ? this.change(row, { claim: null, owner: null }) : row;
      return after !== undefined && after.claim === null && after.ownerEpoch === held.ownerEpoch;
    });
  }

  setState(held: HeldClaim, state: PartitionState, reason: string | null): void {
    this.change(this.#held(held), { state, reason: state === 'running' ? null : reason });
  }

  swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): void {
    const row = this.#held(held);
    if (row.topicId === topicId) return;
    if (row.topicId !== seenTopicId)
      throw refusal('LEDGER_MOVED', row, `has the topic id ${row.topicId}, not ${seenTopicId}`);
    this.change(row, { topicId });
  }

  commit(commits: readonly RangeCommit[]): void {
    for (const { range, held, leaderEpoch } of commits.toSorted((a, b) => comparePartitions(a.range, b.range))) {
      const row = this.#held(held);
      if (row.nextOffset !== range.fromOffset) {
        throw refusal('LEDGER_MOVED', range, `stands at ${row.nextOffset}, not at ${range.fromOffset}`);
      }
      const epoch = leaderEpoch >= 0 ? leaderEpoch : row.leaderEpoch;
      this.change(row, { nextOffset: range.untilOffset, leaderEpoch: epoch });
    }
  }

  change(row: Row, change: Partial<Row>): Row {
    const changed = { ...row, ...change, changedAtMs: this.#nowMs };
    this.rows.set(partitionKey(row), changed);
    return changed;
  }

  /** Nobody's, under a raised epoch: whoever held it claims again. */
  interrupt(row: Row): Row {
    return this.change(row, { ...tryAgain(row), claim: null, owner: null, ownerEpoch: row.ownerEpoch + 1n });
  }

  #held(held: HeldClaim): Row {
    const row = this.rows.get(partitionKey(held));
    if (row === undefined) throw refusal('LEDGER_FENCED', held, 'is not there any more');
    if (row.claim === held.claim) return row;
    const found = `carries another claim than ours: owner ${row.owner ?? 'nobody'}, owner epoch ${row.ownerEpoch}`;
    throw refusal('LEDGER_FENCED', held, found);
  }
}

export function readRows(book: Book, topics: readonly string[] | undefined, nowMs: number): readonly StoredOffset[] {
  return [...book.rows.values()]
    .filter(({ topic }) => topics?.includes(topic) ?? true)
    .map((row) => stored(row, nowMs))
    .sort(comparePartitions);
}

export function readOwners(book: Book, nowMs: number): readonly OwnerStatus[] {
  return [...book.owners.values()].map(({ seenAtMs, ...identity }) => ({
    ...identity,
    // The clock may have been set back since.
    heartbeatAgeMs: Math.max(0, nowMs - seenAtMs),
  }));
}

function stored({ changedAtMs, ...row }: Row, nowMs: number): StoredOffset {
  return { ...row, ageMs: Math.max(0, nowMs - changedAtMs) };
}

function tryAgain(row: Row): Partial<Row> {
  return row.state === 'parked' ? { state: 'running', reason: null } : {};
}

function refusal(code: 'LEDGER_FENCED' | 'LEDGER_MOVED', of: TopicPartition, found: string): TidemarkError {
  const { topic, partition } = of;
  const hint = 'Nothing was written. Read the row and decide again.';
  return new TidemarkError(code, `The row of ${partitionName(of)} ${found}`, { topic, partition, hint });
}
