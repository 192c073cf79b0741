import { TidemarkError } from '../../errors.ts';
import { comparePartitions, type PartitionKey, partitionKey, type TopicPartition } from '../../model/index.ts';
import {
  type ClaimOutcome,
  type ClaimRequest,
  type Control,
  concerns,
  type FirstPosition,
  type HeldClaim,
  type NewControl,
  type OwnerStatus,
  type PartitionState,
  type PositionMove,
  type RangeCommit,
  type SeenRow,
  type StoredOffset,
} from '../../offsets/index.ts';
import { type Clock, newClaimToken, type ProcessIdentity } from '../../platform/index.ts';
import {
  commitRange,
  fencedError,
  type HistoryRow,
  type LedgerRow,
  noCountsRow,
  passedError,
  topicIdError,
} from './ledgerCommit.ts';
import { isAsSeen, isDone, isPassed, moved, place, tombstone } from './ledgerMoves.ts';

/** The ledger of one pipeline: rows, history, owners, controls. Synchronous; what throws has changed nothing. */
export class Ledger {
  readonly #clock: Clock;
  #rows = new Map<PartitionKey, LedgerRow>();
  #history = new Map<PartitionKey, readonly HistoryRow[]>();
  readonly #owners = new Map<string, ProcessIdentity & { readonly seenMs: number }>();
  #controls: readonly Control[] = [];
  /** Orders ever given. */
  #orders = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  beat(identity: ProcessIdentity): void {
    this.#owners.set(identity.instanceId, { ...identity, seenMs: this.#clock.monotonic() });
  }

  owners(): readonly OwnerStatus[] {
    const nowMs = this.#clock.monotonic();
    return [...this.#owners.values()]
      .map(({ seenMs, ...identity }) => ({ ...identity, heartbeatAgeMs: nowMs - seenMs }))
      .sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  }

  read(topics: readonly string[] | undefined): readonly StoredOffset[] {
    return [...this.#rows.values()]
      .filter(({ topic }) => topics?.includes(topic) ?? true)
      .map((row) => this.#stored(row))
      .sort(comparePartitions);
  }

  initialise(positions: readonly FirstPosition[]): void {
    for (const { topic, partition, nextOffset, topicId } of positions) {
      const key = partitionKey({ topic, partition });
      if (this.#rows.has(key)) continue;
      const past = this.history({ topic, partition });
      const incarnation = (past.at(-1)?.incarnation ?? 0n) + 1n;
      const ownerEpoch = past.reduce((highest, row) => (row.ownerEpoch > highest ? row.ownerEpoch : highest), 0n);
      this.#rows.set(key, {
        topic,
        partition,
        nextOffset,
        claim: null,
        owner: null,
        ownerEpoch,
        topicId,
        leaderEpoch: -1,
        incarnation,
        state: 'running',
        reason: null,
        changedMs: this.#clock.monotonic(),
      });
      const base: HistoryRow = {
        ...noCountsRow({ topic, partition }, nextOffset),
        seq: (past.at(-1)?.seq ?? 0n) + 1n,
        incarnation,
        ownerEpoch,
        batchTimeMs: this.#clock.now(),
        committedAtMs: this.#clock.now(),
      };
      this.#history.set(key, [...past, base]);
    }
  }

  claim(owner: string, requests: readonly ClaimRequest[]): readonly ClaimOutcome[] {
    return requests.map(({ topic, partition, seenClaim }) => {
      const row = this.#rows.get(partitionKey({ topic, partition }));
      if (row === undefined) return { claimed: false, row: undefined };
      if (row.claim !== seenClaim) return { claimed: false, row: this.#stored(row) };
      const claim = newClaimToken();
      const again = row.state === 'parked' ? ({ state: 'running', reason: null } as const) : {};
      const taken = this.#change(row, { claim, owner, ownerEpoch: row.ownerEpoch + 1n, ...again });
      const held = { topic, partition, claim, ownerEpoch: taken.ownerEpoch };
      return { claimed: true, held, row: this.#stored(taken) };
    });
  }

  release(claims: readonly HeldClaim[]): readonly boolean[] {
    return claims.map((held) => {
      const row = this.#rows.get(partitionKey(held));
      const after = row?.claim === held.claim ? this.#change(row, { claim: null, owner: null }) : row;
      return after !== undefined && after.claim === null && after.ownerEpoch === held.ownerEpoch;
    });
  }

  setState(held: HeldClaim, state: PartitionState, reason: string | null): void {
    const row = this.#rows.get(partitionKey(held));
    if (row?.claim !== held.claim) throw fencedError(held, row);
    this.#change(row, { state, reason: state === 'running' ? null : reason });
  }

  swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): void {
    const row = this.#rows.get(partitionKey(held));
    if (row?.claim !== held.claim) throw fencedError(held, row);
    if (row.topicId === topicId) return;
    if (row.topicId !== seenTopicId) throw topicIdError(held, seenTopicId, row);
    this.#change(row, { topicId });
  }

  /** All of them or none. */
  commit(commits: readonly RangeCommit[]): void {
    const [rows, history] = [new Map(this.#rows), new Map(this.#history)];
    let controls = this.#controls;
    for (const commit of commits.toSorted((a, b) => comparePartitions(a.range, b.range))) {
      const key = partitionKey(commit.range);
      const after = commitRange(rows.get(key), history.get(key) ?? [], commit, this.#clock);
      rows.set(key, after.row);
      history.set(key, after.history);
      if (commit.kind === 'gap') {
        controls = controls.filter((order) => !isPassed(order, commit.range, commit.range.untilOffset));
      }
    }
    this.#controls = controls;
    this.#rows = rows;
    this.#history = history;
  }

  /** Oldest first. */
  history(of: TopicPartition): readonly HistoryRow[] {
    return this.#history.get(partitionKey(of)) ?? [];
  }

  historyAt(key: PartitionKey): readonly HistoryRow[] {
    return this.#history.get(key) ?? [];
  }

  /** Of every partition, by topic, partition and seq. */
  ranges(): readonly HistoryRow[] {
    return [...this.#history.values()].flat().sort((a, b) => comparePartitions(a, b) || Number(a.seq - b.seq));
  }

  /** Every partition that has a history. */
  places(): ReadonlySet<PartitionKey> {
    return new Set(this.#history.keys());
  }

  /** All of them, or none when one is not as it was seen: those are the answer. */
  move(moves: readonly PositionMove[], by: string): readonly TopicPartition[] {
    const due = moves.filter((move) => !isDone(this.historyAt(partitionKey(move)).at(-1), move, by));
    const changed = due.filter(({ seen, ...of }) => !isAsSeen(this.#rows.get(partitionKey(of)), seen));
    if (changed.length > 0) return changed.map(place);
    for (const move of due) {
      const key = partitionKey(move);
      const history = this.historyAt(key);
      const { row, range } = moved(this.#rows.get(key), history, move, by, this.#clock);
      this.#rows.set(key, row);
      this.#history.set(key, [...history, range]);
      this.#controls = this.#controls.filter((order) => !isPassed(order, move, move.toOffset));
    }
    return [];
  }

  remove(rows: readonly SeenRow[], by: string, reason: string): readonly TopicPartition[] {
    const changed = rows.filter((seen) => !isAsSeen(this.#rows.get(partitionKey(seen)), seen));
    if (changed.length > 0) return changed.map(place);
    for (const seen of rows) {
      const key = partitionKey(seen);
      const row = this.#rows.get(key);
      if (row === undefined) continue;
      const history = this.historyAt(key);
      this.#history.set(key, [...history, tombstone(row, history, by, reason, this.#clock)]);
      this.#rows.delete(key);
      this.#controls = this.#controls.filter(
        ({ topic, partition }) => topic !== seen.topic || partition !== seen.partition,
      );
    }
    return [];
  }

  interrupt(of: readonly TopicPartition[]): void {
    for (const one of of) {
      const row = this.#rows.get(partitionKey(one));
      if (row !== undefined) this.#interrupt(row);
    }
  }

  controls(): readonly Control[] {
    return [...this.#controls];
  }

  /** Keeps the orders, and takes the claims of the partitions they are about. */
  order(orders: readonly NewControl[], by: string): readonly Control[] {
    for (const { topic, partition, fromOffset } of orders) {
      if (topic === null || partition === null || fromOffset === null) continue;
      const row = this.#rows.get(partitionKey({ topic, partition }));
      if (row !== undefined && row.nextOffset > fromOffset) throw passedError(row, fromOffset);
    }
    const kept = orders.map((order) => this.keepOrder(order, by));
    for (const row of this.#rows.values()) {
      if (kept.some((control) => concerns(control, row))) this.#interrupt(row);
    }
    return kept;
  }

  keepOrder(order: NewControl, by: string): Control {
    this.#orders += 1n;
    const control = { ...order, id: this.#orders, orderedBy: by, orderedAtMs: this.#clock.now() };
    this.#controls = [...this.#controls, control];
    return control;
  }

  withdraw(ids: readonly bigint[]): void {
    this.#controls = this.#controls.filter(({ id }) => !ids.includes(id));
  }

  /** Changes a row without asking for a claim, as someone does by hand. */
  changeByHand(of: TopicPartition, change: Partial<Omit<LedgerRow, 'topic' | 'partition'>>): void {
    const row = this.#rows.get(partitionKey(of));
    if (row === undefined) throw new TidemarkError('STORE_REQUEST_FAILED', `no row of ${of.topic}-${of.partition}`);
    this.#change(row, change);
  }

  removeByHand(of: TopicPartition): void {
    this.#rows.delete(partitionKey(of));
  }

  #interrupt(row: LedgerRow): void {
    const again = row.state === 'parked' ? ({ state: 'running', reason: null } as const) : {};
    this.#change(row, { claim: null, owner: null, ownerEpoch: row.ownerEpoch + 1n, ...again });
  }

  #change(row: LedgerRow, change: Partial<LedgerRow>): LedgerRow {
    const changed = { ...row, ...change, changedMs: this.#clock.monotonic() };
    this.#rows.set(partitionKey(row), changed);
    return changed;
  }

  #stored({ changedMs, ...row }: LedgerRow): StoredOffset {
    return { ...row, ageMs: this.#clock.monotonic() - changedMs };
  }
}
