import type { CommittedRange, RangeCommit } from '../../offsets/index.ts';
import { at, batchTimeMs, begin, claimOne, commitOf, rejection, rowOf, type Scene, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** What was committed when, by whom, and what became of the records (I1, I6). */
export function historyTests(suite: StoreSuite): void {
  const { test, assert } = suite;
  const place = at('orders', 0);

  /** Commits one after the other and gives the newest history row after each. */
  async function history({ store }: Scene, commits: readonly RangeCommit[]): Promise<readonly CommittedRange[]> {
    const rows: CommittedRange[] = [];
    for (const commit of commits) {
      await store.commitRanges([commit]);
      const newest = await store.newestRange(place);
      if (newest === undefined) throw new Error('no history');
      rows.push(newest);
    }
    return rows;
  }

  const spans = (rows: readonly CommittedRange[]) =>
    rows.map(({ fromOffset, untilOffset }) => [Number(fromOffset), Number(untilOffset)]);

  test('a history begins where the partition began', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [100, 7]);
      const [newest, neighbour, absent] = await Promise.all([0, 1, 2].map((p) => store.newestRange(at('orders', p))));
      const { kind, fromOffset, untilOffset, counts, incarnation } = newest ?? {};
      assert.deepEqual([kind, fromOffset, untilOffset, incarnation], ['base', 100n, 100n, 1n]);
      assert.deepEqual(counts?.records, 0);
      assert.equal(neighbour?.untilOffset, 7n);
      assert.equal(absent, undefined);
    }));

  test('a row tells owner, epoch, counts and time of a commit', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [0]);
      const held = await claimOne(scene.store, place);
      const counts = { records: 10, produced: 4, rows: 12, dropped: 3, skipped: 2, deadLettered: 1 };
      const [row] = await history(scene, [commitOf(held, 0, 20, { counts })]);
      const { seq, committedAtMs, ...rest } = row ?? { seq: 0n, committedAtMs: 0 };
      assert.deepEqual(rest, {
        ...place,
        incarnation: 1n,
        fromOffset: 0n,
        untilOffset: 20n,
        counts,
        owner: scene.self.instanceId,
        ownerEpoch: 1n,
        kind: 'batch',
        reason: null,
      });
      assert.ok(seq > 0n);
      assert.ok(committedAtMs > batchTimeMs - 1e12, `a time of ${committedAtMs}`);
    }));

  test('contiguous ranges of one claim merge within a minute of batch time', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [0]);
      const held = await claimOne(scene.store, place);
      const at = (ms: number) => ({ batchTimeMs: batchTimeMs + ms, counts: { dropped: 1, records: 11 } });
      const commit = (from: number, ms: number) =>
        commitOf(held, from, from + 11, { ...at(ms), counts: { produced: 10, rows: 10, dropped: 1 } });
      const rows = await history(scene, [commit(0, 0), commit(11, 59_999), commit(22, 60_000), commit(33, 60_001)]);
      assert.deepEqual(spans(rows), [
        [0, 11],
        [0, 22],
        [22, 33],
        [22, 44],
      ]);
      assert.deepEqual(rows[1]?.counts, {
        records: 22,
        produced: 20,
        rows: 20,
        dropped: 2,
        skipped: 0,
        deadLettered: 0,
      });
      assert.deepEqual(new Set(rows.map(({ seq }) => seq)).size, 2);
      assert.ok((rows[2]?.seq ?? 0n) > (rows[1]?.seq ?? 0n), 'seq rises');
      // A clock that was set back begins a row: the minute could not be told otherwise.
      const [back] = await history(scene, [commit(44, 0)]);
      assert.equal(back?.fromOffset, 44n);
    }));

  test('ranges merge up to a million records', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [0]);
      const held = await claimOne(scene.store, place);
      const rows = await history(scene, [
        commitOf(held, 0, 400_000),
        commitOf(held, 400_000, 1_000_000),
        commitOf(held, 1_000_000, 1_000_001),
        commitOf(held, 1_000_001, 2_500_000),
      ]);
      assert.deepEqual(spans(rows), [
        [0, 400_000],
        [0, 1_000_000],
        [1_000_000, 1_000_001],
        [1_000_001, 2_500_000],
      ]);
    }));

  test('ranges of two claims do not merge', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [0]);
      const first = await claimOne(scene.store, place);
      const [one] = await history(scene, [commitOf(first, 0, 5)]);
      const second = await claimOne(scene.store, place);
      const [two] = await history(scene, [commitOf(second, 5, 9)]);
      assert.deepEqual(spans([one, two].flatMap((row) => row ?? [])), [
        [0, 5],
        [5, 9],
      ]);
      assert.deepEqual([one?.ownerEpoch, two?.ownerEpoch], [1n, 2n]);
    }));

  test('a gap keeps its own row and its reason', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [0]);
      const held = await claimOne(scene.store, place);
      const gap = { kind: 'gap', reason: "expired: 'gone' \0" } as const;
      const rows = await history(scene, [
        commitOf(held, 0, 5),
        commitOf(held, 5, 50, gap),
        commitOf(held, 50, 60, gap),
        commitOf(held, 60, 70),
      ]);
      assert.deepEqual(spans(rows), [
        [0, 5],
        [5, 50],
        [50, 60],
        [60, 70],
      ]);
      assert.deepEqual(
        rows.map(({ kind, counts }) => [kind, counts.records]),
        [
          ['batch', 5],
          ['gap', 0],
          ['gap', 0],
          ['batch', 10],
        ],
      );
      assert.ok(rows[1]?.reason?.startsWith("expired: 'gone'"));
    }));

  test('an empty range checks the claim and leaves no trace', () =>
    withScene(suite, async (scene) => {
      await begin(scene.store, 'orders', [3]);
      const held = await claimOne(scene.store, place);
      const [row] = await history(scene, [commitOf(held, 3, 3)]);
      assert.equal(row?.kind, 'base');
    }));

  test('a row that was put elsewhere by hand is not gone on from', () =>
    withScene(suite, async ({ place: where, store }) => {
      await begin(store, 'orders', [100]);
      await store.commitRanges([commitOf(await claimOne(store, place), 100, 200)]);
      await where.moveByHand('conformance', place, 150n);
      const held = await claimOne(store, place);
      const error = await rejection(store.commitRanges([commitOf(held, 150, 250)]));
      assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_TAMPERED', 'orders', 0]);
      assert.equal((await rowOf(store, place)).nextOffset, 150n);
      assert.equal((await store.newestRange(place))?.untilOffset, 200n);
    }));

  test('a row that was removed comes back as the next incarnation, under rising epochs', () =>
    withScene(suite, async ({ place: where, store }) => {
      await begin(store, 'orders', [100]);
      await claimOne(store, place);
      await store.commitRanges([commitOf(await claimOne(store, place), 100, 200)]);
      await where.removeByHand('conformance', place);
      await begin(store, 'orders', [0]);
      const row = await rowOf(store, place);
      assert.deepEqual([row.nextOffset, row.incarnation, row.ownerEpoch], [0n, 2n, 2n]);
      const newest = await store.newestRange(place);
      assert.deepEqual([newest?.kind, newest?.untilOffset, newest?.incarnation], ['base', 0n, 2n]);
      await store.commitRanges([commitOf(await claimOne(store, place), 0, 10)]);
      assert.equal((await store.newestRange(place))?.fromOffset, 0n);
    }));
}
