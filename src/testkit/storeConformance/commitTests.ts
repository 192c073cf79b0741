import { at, begin, claimed, claimOne, commitOf, rejection, rowOf, still, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** A commit is a compare-and-set on offset and claim (I1, I3), of all its ranges or none (I2). */
export function commitTests(suite: StoreSuite): void {
  const { test, assert, environment } = suite;
  const place = at('orders', 0);

  test('a commit moves the row from the start of its range to the end', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [100]);
      const held = await claimOne(store, place);
      await store.commitRanges([commitOf(held, 100, 250, { leaderEpoch: 3 })]);
      await store.commitRanges([commitOf(held, 250, 251)]);
      const { nextOffset, claim, ownerEpoch, leaderEpoch } = await rowOf(store, place);
      assert.deepEqual([nextOffset, claim, ownerEpoch, leaderEpoch], [251n, held.claim, 1n, 3]);
      await store.commitRanges([]);
    }));

  test('a commit at the end of what an offset can be', () =>
    withScene(suite, async ({ store }) => {
      const [from, until] = [2n ** 63n - 3n, 2n ** 63n - 1n];
      await begin(store, 'orders', [from]);
      await store.commitRanges([commitOf(await claimOne(store, place), from, until)]);
      assert.equal((await rowOf(store, place)).nextOffset, until);
    }));

  test('a commit that starts elsewhere than the row stands is refused', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [100]);
      const held = await claimOne(store, place);
      const before = still(await rowOf(store, place));
      for (const [from, until] of [
        [99, 200],
        [101, 200],
        [0, 100],
      ] as const) {
        const error = await rejection(store.commitRanges([commitOf(held, from, until)]));
        assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_MOVED', 'orders', 0]);
        assert.ok(error.message.includes('100'), `the message says where the row stands: ${error.message}`);
      }
      assert.deepEqual(still(await rowOf(store, place)), before);
    }));

  test('of two commits of one range one is refused', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0]);
      const held = await claimOne(store, place);
      const both = [store, other].map((each) => each.commitRanges([commitOf(held, 0, 5)]));
      const settled = await Promise.allSettled(both);
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
      const errors = await Promise.all(both.map((one) => one.catch((error) => error.code)));
      assert.deepEqual(errors.sort(), ['LEDGER_MOVED', undefined]);
      assert.equal((await rowOf(store, place)).nextOffset, 5n);
    }));

  test('counts that do not add up are refused before they are sent', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [0, 0]);
      const [held, neighbour] = await claimed(store, at('orders', 0), at('orders', 1));
      if (held === undefined || neighbour === undefined) throw new Error('no claims');
      const wrong = [
        commitOf(held, 0, 10, { counts: { records: 9 } }),
        commitOf(held, 0, 10, { counts: { records: 11, produced: 11, rows: 11 } }),
        commitOf(held, 0, 10, { counts: { rows: 9 } }),
        commitOf(held, 0, 10, { counts: { produced: 11, skipped: -1, rows: 11 } }),
        commitOf(held, 0, 10, { kind: 'gap' }),
        { ...commitOf(held, 0, 10), held: neighbour },
      ];
      for (const commit of wrong) {
        assert.equal((await rejection(store.commitRanges([commit]))).code, 'INVARIANT_BROKEN');
      }
      assert.equal((await rowOf(store, place)).nextOffset, 0n);
    }));

  test('a claim that was taken over cannot commit', () =>
    withScene(suite, async ({ store, other, stranger }) => {
      await begin(store, 'orders', [100]);
      const stale = await claimOne(store, place);
      const fresh = await claimOne(other, place);
      const error = await rejection(store.commitRanges([commitOf(stale, 100, 200)]));
      assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_FENCED', 'orders', 0]);
      assert.ok(error.message.includes(stranger.instanceId), `the message names the owner: ${error.message}`);
      await other.commitRanges([commitOf(fresh, 100, 150)]);
      assert.equal((await rejection(store.commitRanges([commitOf(stale, 150, 200)]))).code, 'LEDGER_FENCED');
      assert.equal((await rowOf(store, place)).nextOffset, 150n);
    }));

  test('a claim that was given back or replaced by our own cannot commit', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [0]);
      const first = await claimOne(store, place);
      const second = await claimOne(store, place);
      assert.equal((await rejection(store.commitRanges([commitOf(first, 0, 1)]))).code, 'LEDGER_FENCED');
      await store.release([second]);
      assert.equal((await rejection(store.commitRanges([commitOf(second, 0, 1)]))).code, 'LEDGER_FENCED');
    }));

  test('ranges of several partitions are committed all or not at all', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0, 0]);
      const [first, second, third] = await claimed(store, at('orders', 0), at('orders', 1), at('orders', 2));
      if (first === undefined || second === undefined || third === undefined) throw new Error('no claims');
      await store.commitRanges([commitOf(third, 0, 3), commitOf(first, 0, 1), commitOf(second, 0, 2)]);
      const offsets = async () => (await store.read()).map(({ nextOffset }) => nextOffset);
      assert.deepEqual(await offsets(), [1n, 2n, 3n]);
      await claimOne(other, at('orders', 2));
      const error = await rejection(
        store.commitRanges([commitOf(third, 3, 9), commitOf(first, 1, 9), commitOf(second, 2, 9)]),
      );
      assert.deepEqual([error.code, error.partition], ['LEDGER_FENCED', 2]);
      assert.deepEqual(await offsets(), [1n, 2n, 3n]);
    }));

  if (!environment.capabilities.fenced) return;

  test('a row moved by hand refuses the commit', () =>
    withScene(suite, async ({ place: where, store }) => {
      await begin(store, 'orders', [100]);
      const held = await claimOne(store, place);
      await where.moveByHand('conformance', place, 50n);
      const error = await rejection(store.commitRanges([commitOf(held, 100, 200)]));
      assert.equal(error.code, 'LEDGER_MOVED');
      assert.equal((await rowOf(store, place)).nextOffset, 50n);
    }));

  test('a commit to a row that was removed is refused', () =>
    withScene(suite, async ({ place: where, store }) => {
      await begin(store, 'orders', [0]);
      const held = await claimOne(store, place);
      await where.removeByHand('conformance', place);
      assert.equal((await rejection(store.commitRanges([commitOf(held, 0, 1)]))).code, 'LEDGER_FENCED');
      assert.deepEqual(await store.read(), []);
    }));
}
