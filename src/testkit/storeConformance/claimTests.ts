import {
  at,
  begin,
  claimed,
  claimOne,
  commitOf,
  identity,
  openAs,
  pipeline,
  rejection,
  rowOf,
  still,
  withScene,
} from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** Who holds a partition: claims are compare-and-set, a release touches only what is ours. */
export function claimTests(suite: StoreSuite): void {
  const { test, assert, environment } = suite;
  const place = at('orders', 0);

  test('a claim takes the row, raises its epoch and leaves its offset', () =>
    withScene(suite, async ({ store, self }) => {
      await begin(store, 'orders', [100]);
      const before = await rowOf(store, place);
      const [outcome] = await store.claim([{ ...place, seenClaim: null }]);
      assert.ok(outcome?.claimed);
      const row = await rowOf(store, place);
      assert.deepEqual(outcome?.row && still(outcome.row), still(row));
      assert.deepEqual(still(row), {
        ...still(before),
        claim: outcome?.claimed ? outcome.held.claim : '',
        owner: self.instanceId,
        ownerEpoch: 1n,
      });
      assert.deepEqual(outcome?.claimed && outcome.held.ownerEpoch, 1n);
    }));

  test('a claim misses when the row carries another claim than was seen', () =>
    withScene(suite, async ({ store, other, stranger }) => {
      await begin(store, 'orders', [100]);
      const theirs = await claimOne(other, place);
      const [outcome] = await store.claim([{ ...place, seenClaim: null }]);
      assert.equal(outcome?.claimed, false);
      assert.equal(outcome?.row?.claim, theirs.claim);
      assert.equal(outcome?.row?.owner, stranger.instanceId);
      assert.equal((await rowOf(store, place)).ownerEpoch, 1n);
    }));

  test('a claim of a row that is not there answers that', () =>
    withScene(suite, async ({ store }) => {
      assert.deepEqual(await store.claim([{ ...place, seenClaim: null }]), [{ claimed: false, row: undefined }]);
    }));

  test('a claim that was seen can be taken over, its own too', () =>
    withScene(suite, async ({ store, other, stranger }) => {
      await begin(store, 'orders', [100]);
      const first = await claimOne(store, place);
      const second = await claimOne(store, place);
      const third = await claimOne(other, place);
      assert.equal(new Set([first.claim, second.claim, third.claim]).size, 3);
      assert.deepEqual([first.ownerEpoch, second.ownerEpoch, third.ownerEpoch], [1n, 2n, 3n]);
      assert.equal((await rowOf(store, place)).owner, stranger.instanceId);
    }));

  test('outcomes come in the order of the requests, each for itself', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 10, 20, 30]);
      await claimOne(other, at('orders', 2));
      const wanted = [3, 2, 0, 7].map((partition) => ({ ...at('orders', partition), seenClaim: null }));
      const outcomes = await store.claim(wanted);
      assert.deepEqual(
        outcomes.map(({ claimed: isClaimed, row }) => [isClaimed, row?.nextOffset]),
        [
          [true, 30n],
          [false, 20n],
          [true, 0n],
          [false, undefined],
        ],
      );
      assert.deepEqual(await store.claim([]), []);
    }));

  test("a release makes rows nobody's and keeps their epoch", () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const held = await claimed(store, at('orders', 0), at('orders', 1));
      assert.deepEqual(await store.release(held), [true, true]);
      const row = await rowOf(store, place);
      assert.deepEqual([row.claim, row.owner, row.ownerEpoch], [null, null, 1n]);
      assert.deepEqual(await store.release(held), [true, true], 'a repetition answers the same');
      assert.equal((await claimOne(other, place)).ownerEpoch, 2n);
    }));

  test('a release leaves what others hold', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const mine = await claimed(store, at('orders', 0), at('orders', 1));
      const theirs = await claimOne(other, place);
      assert.deepEqual(await store.release([...mine].reverse()), [true, false]);
      assert.equal((await rowOf(store, place)).claim, theirs.claim);
      assert.deepEqual(await other.release([theirs]), [true]);
      assert.deepEqual(await store.release(mine), [false, true], 'what another owner gave back was not ours to give');
      assert.deepEqual(await store.release([]), []);
    }));

  test('a state is set under the claim, with its reason', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0]);
      const held = await claimOne(store, place);
      await store.setState(held, 'parked', "RECORD_UNPARSABLE: 'x\0y' \\ 🦀");
      const { state, reason } = await rowOf(store, place);
      assert.deepEqual([state, reason?.replace(/x.y/u, 'xy')], ['parked', "RECORD_UNPARSABLE: 'xy' \\ 🦀"]);
      await store.setState(held, 'running', 'this is dropped');
      assert.deepEqual([(await rowOf(store, place)).state, (await rowOf(store, place)).reason], ['running', null]);
      await claimOne(other, place);
      const error = await rejection(store.setState(held, 'parked', 'late'));
      assert.deepEqual([error.code, error.topic, error.partition], ['LEDGER_FENCED', 'orders', 0]);
      assert.equal((await rowOf(store, place)).state, 'running');
    }));

  test('whoever claims a parked partition tries again, a paused one stays paused', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const [parked, paused] = await claimed(store, at('orders', 0), at('orders', 1));
      if (parked === undefined || paused === undefined) throw new Error('no claims');
      await store.setState(parked, 'parked', 'bad record');
      await store.setState(paused, 'paused', 'maintenance');
      await store.release([parked]);
      assert.deepEqual(
        (await rowOf(store, place)).reason,
        'bad record',
        'a release leaves the reason for people to read',
      );
      await claimed(other, at('orders', 0), at('orders', 1));
      assert.deepEqual(
        (await store.read()).map(({ state, reason }) => [state, reason]),
        [
          ['running', null],
          ['paused', 'maintenance'],
        ],
      );
    }));

  test('a claim leaves the offset where commits brought it', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0]);
      await store.commitRanges([commitOf(await claimOne(store, place), 0, 10, { leaderEpoch: 4 })]);
      await claimOne(other, place);
      const { nextOffset, leaderEpoch, incarnation } = await rowOf(store, place);
      assert.deepEqual([nextOffset, leaderEpoch, incarnation], [10n, 4, 1n]);
    }));

  if (!environment.capabilities.fenced) return;

  test('of twenty processes that saw the same claim one wins', async () => {
    const where = await environment.newPlace();
    const stores = Array.from({ length: 20 }, () => where.newStore(pipeline));
    await Promise.all(stores.map((store, index) => openAs(store, identity(`host ${index}`))));
    const [first] = stores;
    if (first === undefined) throw new Error('no store');
    await begin(first, 'orders', [0, 0, 0]);
    let seen: readonly (string | null)[] = [null, null, null];
    for (let round = 1; round <= 5; round += 1) {
      const requests = seen.map((seenClaim, partition) => ({ ...at('orders', partition), seenClaim }));
      // Some ask in the reverse order: rows are locked in one order all the same.
      const all = await Promise.all(
        stores.map(async (store, index) =>
          index % 2 === 0 ? store.claim(requests) : [...(await store.claim([...requests].reverse()))].reverse(),
        ),
      );
      const rows = await first.read(['orders']);
      for (const [partition, row] of rows.entries()) {
        const winners = all.flatMap((outcomes) => outcomes[partition] ?? []).filter((outcome) => outcome.claimed);
        assert.equal(winners.length, 1, `winners of partition ${partition} in round ${round}`);
        assert.equal(winners[0]?.held.claim, row.claim);
        assert.equal(row.ownerEpoch, BigInt(round));
      }
      seen = rows.map(({ claim }) => claim);
    }
    await Promise.all(stores.map((store) => store.close()));
  });
}
