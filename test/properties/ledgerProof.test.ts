import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noCounts, OffsetRange, type RangeCounts } from '../../src/model/index.ts';
import type { CommittedRange, HeldClaim, OffsetStore, StoredOffset } from '../../src/offsets/index.ts';
import { LedgerProof, proveEnd } from '../../src/operations/index.ts';
import { MemoryDatabase } from '../../src/testkit/index.ts';

const of = { topic: 'orders', partition: 0 };

/** What workers and operators do to one partition. What is left of the records was produced. */
const action = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ what: 'claim' } as const) },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constant('commit' as const),
      length: fc.integer({ min: 1, max: 9 }),
      holes: fc.nat(3),
      dropped: fc.nat(2),
      skipped: fc.nat(1),
      rowsEach: fc.integer({ min: 1, max: 3 }),
      laterMs: fc.constantFrom(0, 100, 90_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constantFrom('gap' as const, 'ordered gap' as const),
      length: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('reset' as const), to: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ what: 'remove' } as const) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('begin' as const), at: fc.nat(30) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

interface Ledger {
  readonly ranges: readonly CommittedRange[];
  readonly row: StoredOffset | undefined;
}

/** What a ledger keeps of these actions. */
async function ledgerAfter(actions: readonly Action[]): Promise<Ledger> {
  const store = new MemoryDatabase().store('orders');
  await store.open();
  await store.registerOwner({ instanceId: 'me', host: 'h', bootId: '', pid: 1 });
  await store.initialise([{ ...of, nextOffset: 10n, topicId: 'id' }]);
  let timeMs = Date.UTC(2026, 3, 1);
  for (const one of actions) {
    if (one.what === 'commit') timeMs += one.laterMs;
    await act(store, one, timeMs);
  }
  return { ranges: await store.ranges({ limit: 10_000 }), row: (await store.read())[0] };
}

async function act(store: OffsetStore, one: Action, batchTimeMs: number): Promise<void> {
  const [row] = await store.read();
  if (one.what === 'begin') return store.initialise([{ ...of, nextOffset: BigInt(one.at), topicId: 'id' }]);
  if (one.what === 'reset') {
    await store.move(
      [{ ...of, kind: 'reset', toOffset: BigInt(one.to), reason: 'a reset', topicId: 'id', seen: row }],
      'anna',
    );
  }
  if (row === undefined) return;
  if (one.what === 'claim') await claim(store, row);
  if (one.what === 'remove') await store.remove([row], 'anna', 'a removal');
  if (one.what === 'ordered gap') {
    const toOffset = row.nextOffset + BigInt(one.length);
    await store.move([{ ...of, kind: 'gap', toOffset, reason: 'a gap', seen: row }], 'anna');
  }
  if (one.what !== 'commit' && one.what !== 'gap') return;
  const held = row.claim === null ? await claim(store, row) : { ...of, claim: row.claim, ownerEpoch: row.ownerEpoch };
  const range = new OffsetRange(of.topic, of.partition, row.nextOffset, row.nextOffset + BigInt(one.length));
  const counts = one.what === 'commit' ? countsOf(one) : noCounts();
  const [kind, reason] = one.what === 'gap' ? (['gap', 'a loss'] as const) : (['batch', null] as const);
  await store.commitRanges([{ range, held, counts, leaderEpoch: -1, batchTimeMs, kind, reason }]);
}

async function claim(store: OffsetStore, row: StoredOffset): Promise<HeldClaim> {
  const [outcome] = await store.claim([{ ...of, seenClaim: row.claim }]);
  if (outcome?.claimed !== true) throw new Error('the claim missed');
  return outcome.held;
}

function countsOf({ length, holes, dropped, skipped, rowsEach }: Extract<Action, { what: 'commit' }>): RangeCounts {
  const records = Math.max(0, length - holes);
  const [left, passed] = [Math.min(dropped, records), Math.min(skipped, records - Math.min(dropped, records))];
  const produced = records - left - passed;
  return { ...noCounts(), records, produced, rows: produced * rowsEach, dropped: left, skipped: passed };
}

function findingsOf({ ranges, row }: Ledger) {
  const proof = new LedgerProof();
  for (const range of ranges) proof.add(range);
  const [found] = proof.partitions;
  const end = proveEnd(of, found, row);
  return [...(found?.findings ?? []), ...(end === undefined ? [] : [end])];
}

const actions = fc.array(action, { minLength: 1, maxLength: 25 });

test('whatever workers and operators do, the ledger proves', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (all) => {
      expect(findingsOf(await ledgerAfter(all))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

/** Every way in which one row of the history, or the row of the partition, can be made wrong so that the ledger tells. */
function mutations({ ranges, row }: Ledger): readonly { readonly name: string; readonly ledger: Ledger }[] {
  const all: { name: string; ledger: Ledger }[] = [];
  const history = (name: string, changed: readonly CommittedRange[]) =>
    all.push({ name, ledger: { ranges: changed, row } });
  for (const [index, range] of ranges.entries()) {
    const { seq, kind, counts, ownerEpoch } = range;
    const [before, next] = [ranges[index - 1], ranges[index + 1]];
    const [isFirst, isLast] = [before === undefined, next === undefined];
    const change = (name: string, to: Partial<CommittedRange>) =>
      history(`${name} of seq ${seq}`, ranges.with(index, { ...range, ...to }));
    // What was before the first row that is kept is not known.
    if (!isFirst) history(`seq ${seq} is missing`, ranges.toSpliced(index, 1));
    history(`seq ${seq} is there twice`, ranges.toSpliced(index, 0, range));
    if (next !== undefined)
      history(`seq ${seq} and the next are swapped`, [
        ...ranges.slice(0, index),
        next,
        range,
        ...ranges.slice(index + 2),
      ]);
    for (const by of [-3n, -1n, 1n, 3n]) {
      if (!isFirst) change(`the first offset by ${by}`, { fromOffset: range.fromOffset + by });
      // Where an incarnation ended before a reset stands nowhere else.
      const isEnd =
        next !== undefined && next.incarnation !== range.incarnation && (kind === 'batch' || kind === 'gap');
      if (!isEnd) change(`the end by ${by}`, { untilOffset: range.untilOffset + by });
    }
    for (const by of [-1n, 1n]) change(`the incarnation by ${by}`, { incarnation: range.incarnation + by });
    // By itself a row may have any.
    if (ranges.length > 1) change('the seq', { seq: seq + 5n });
    change('the epoch below all', { ownerEpoch: -1n });
    if (!isLast || row !== undefined) change('the epoch above all', { ownerEpoch: ownerEpoch + 1000n });
    for (const name of ['records', 'produced', 'dropped', 'skipped', 'deadLettered'] as const) {
      for (const by of [-1, 1]) change(`${name} by ${by}`, { counts: { ...counts, [name]: counts[name] + by } });
    }
    if (counts.produced > 0) change('rows', { counts: { ...counts, rows: counts.produced - 1 } });
    if (kind === 'gap' || kind === 'reset') change('the reason', { reason: null });
    // A removal is a reset that begins nothing, and so neither is a batch, nor a gap.
    if (kind !== 'batch' && kind !== 'gap') change('the kind to batch', { kind: 'batch' });
    if (kind === 'batch') change('the kind to gap', { kind: 'gap' });
    if (kind === 'batch' || kind === 'gap') change('the kind to reset', { kind: 'reset' });
    if (!isFirst && (kind === 'batch' || kind === 'gap')) change('the kind to base', { kind: 'base' });
  }
  const stored = (name: string, changed: StoredOffset | undefined) =>
    all.push({ name, ledger: { ranges, row: changed } });
  if (row === undefined) {
    const newest = ranges.at(-1);
    if (newest === undefined) return all;
    const { untilOffset: nextOffset, incarnation, ownerEpoch } = newest;
    const facts = {
      topicId: 'id',
      leaderEpoch: -1,
      state: 'running',
      reason: null,
      ageMs: 0,
      claim: null,
      owner: null,
    } as const;
    stored('a removed row is there', { ...of, ...facts, nextOffset, incarnation, ownerEpoch });
    return all;
  }
  stored('the row is gone', undefined);
  for (const by of [-2n, 1n]) {
    stored(`the position by ${by}`, { ...row, nextOffset: row.nextOffset + by });
    stored(`the incarnation of the row by ${by}`, { ...row, incarnation: row.incarnation + by });
  }
  stored('the epoch of the row', { ...row, ownerEpoch: (ranges.at(-1)?.ownerEpoch ?? 0n) - 1n });
  return all;
}

test('any one thing that is changed in a ledger is found', async () => {
  let found = 0;
  await fc.assert(
    fc.asyncProperty(actions, async (all) => {
      for (const { name, ledger } of mutations(await ledgerAfter(all))) {
        found += 1;
        expect(findingsOf(ledger).length, name).toBeGreaterThan(0);
      }
    }),
    { numRuns: 150 },
  );
  expect(found).toBeGreaterThan(1000);
});
