import { comparePartitions } from '../../src/model/index.ts';
import type { HeldClaim, PartitionState, RangeCommit, RangeKind } from '../../src/offsets/index.ts';

/** A ledger of one topic in memory, as naive as can be: what the real one is held against. */

export type LedgerFault = 'LEDGER_FENCED' | 'LEDGER_MOVED' | 'LEDGER_TAMPERED';

interface ModelRow {
  partition: number;
  nextOffset: bigint;
  claim: string | null;
  owner: string | null;
  ownerEpoch: bigint;
  topicId: string;
  incarnation: bigint;
  state: PartitionState;
}

interface ModelRange {
  kind: RangeKind;
  incarnation: bigint;
  from: bigint;
  until: bigint;
  records: number;
  ownerEpoch: bigint;
  batchTimeMs: number;
}

export class LedgerModel {
  readonly #rows = new Map<number, ModelRow>();
  readonly #history = new Map<number, ModelRange[]>();

  rows(): readonly ModelRow[] {
    return [...this.#rows.values()].sort((a, b) => a.partition - b.partition);
  }

  row(partition: number): ModelRow | undefined {
    return this.#rows.get(partition);
  }

  history(partition: number): readonly { kind: RangeKind; from: number; until: number; records: number }[] {
    return this.#ranges(partition).map(({ kind, from, until, records }) => ({
      kind,
      from: Number(from),
      until: Number(until),
      records,
    }));
  }

  insert(partition: number, nextOffset: bigint, topicId: string): void {
    if (this.#rows.has(partition)) return;
    const past = this.#ranges(partition);
    const most = (of: (range: ModelRange) => bigint) =>
      past.reduce((max, range) => (of(range) > max ? of(range) : max), 0n);
    const incarnation = most((range) => range.incarnation) + 1n;
    const ownerEpoch = most((range) => range.ownerEpoch);
    this.#rows.set(partition, {
      partition,
      nextOffset,
      claim: null,
      owner: null,
      ownerEpoch,
      topicId,
      incarnation,
      state: 'running',
    });
    past.push({
      kind: 'base',
      incarnation,
      from: nextOffset,
      until: nextOffset,
      records: 0,
      ownerEpoch,
      batchTimeMs: 0,
    });
  }

  claim(partition: number, claim: string, owner: string): void {
    this.#change(partition, (row) => ({ claim, owner, ownerEpoch: row.ownerEpoch + 1n, state: 'running' }));
  }

  /** Answers whether the row is nobody's since the claim. */
  release(partition: number, held: HeldClaim): boolean {
    const row = this.#rows.get(partition);
    if (row?.claim === held.claim) this.#change(partition, () => ({ claim: null, owner: null }));
    const after = this.#rows.get(partition);
    return after !== undefined && after.claim === null && after.ownerEpoch === held.ownerEpoch;
  }

  park(partition: number, held: HeldClaim): LedgerFault | undefined {
    if (this.#rows.get(partition)?.claim !== held.claim) return 'LEDGER_FENCED';
    this.#change(partition, () => ({ state: 'parked' }));
    return undefined;
  }

  swap(partition: number, held: HeldClaim, seen: string, topicId: string): LedgerFault | undefined {
    const row = this.#rows.get(partition);
    if (row?.claim !== held.claim) return 'LEDGER_FENCED';
    if (row.topicId !== seen && row.topicId !== topicId) return 'LEDGER_MOVED';
    this.#change(partition, () => ({ topicId }));
    return undefined;
  }

  move(partition: number, nextOffset: bigint): void {
    this.#change(partition, () => ({ nextOffset }));
  }

  reset(partition: number, nextOffset: bigint): void {
    this.#change(partition, ({ ownerEpoch, incarnation }) => ({
      nextOffset,
      claim: null,
      owner: null,
      ownerEpoch: ownerEpoch + 1n,
      incarnation: incarnation + 1n,
    }));
    const row = this.#rows.get(partition);
    if (row === undefined) return;
    const { incarnation, ownerEpoch } = row;
    this.#ranges(partition).push({
      kind: 'reset',
      incarnation,
      from: nextOffset,
      until: nextOffset,
      records: 0,
      ownerEpoch,
      batchTimeMs: 0,
    });
  }

  remove(partition: number): void {
    this.#rows.delete(partition);
  }

  /** All or nothing, judged in the order of the partitions. */
  commit(commits: readonly RangeCommit[]): LedgerFault | undefined {
    const ordered = [...commits].sort((a, b) => comparePartitions(a.range, b.range));
    for (const commit of ordered) {
      const fault = this.#faultOf(commit);
      if (fault !== undefined) return fault;
    }
    for (const commit of ordered) this.#apply(commit);
    return undefined;
  }

  #faultOf({ range, held }: RangeCommit): LedgerFault | undefined {
    const row = this.#rows.get(range.partition);
    if (row?.claim !== held.claim) return 'LEDGER_FENCED';
    if (row.nextOffset !== range.fromOffset) return 'LEDGER_MOVED';
    const newest = this.#ranges(range.partition).at(-1);
    const isWhole = newest === undefined || newest.incarnation < row.incarnation || newest.until === range.fromOffset;
    return isWhole ? undefined : 'LEDGER_TAMPERED';
  }

  #apply({ range, counts, kind, batchTimeMs }: RangeCommit): void {
    const { partition, fromOffset: from, untilOffset: until } = range;
    const { records } = counts;
    this.#change(partition, () => ({ nextOffset: until }));
    if (range.isEmpty) return;
    const { ownerEpoch, incarnation } = this.#rows.get(partition) ?? { ownerEpoch: 0n, incarnation: 0n };
    const newest = this.#ranges(partition).at(-1);
    const merges =
      newest?.kind === 'batch' &&
      kind === 'batch' &&
      newest.ownerEpoch === ownerEpoch &&
      newest.incarnation === incarnation &&
      batchTimeMs < newest.batchTimeMs + 60_000 &&
      newest.records + records <= 1_000_000;
    if (merges) {
      newest.until = until;
      newest.records += records;
    } else {
      this.#ranges(partition).push({ kind, incarnation, from, until, records, ownerEpoch, batchTimeMs });
    }
  }

  #change(partition: number, change: (row: ModelRow) => Partial<ModelRow>): void {
    const row = this.#rows.get(partition);
    if (row !== undefined) Object.assign(row, change(row));
  }

  #ranges(partition: number): ModelRange[] {
    const ranges = this.#history.get(partition) ?? [];
    this.#history.set(partition, ranges);
    return ranges;
  }
}
