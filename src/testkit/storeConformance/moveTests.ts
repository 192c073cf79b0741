import type { TopicPartition } from '../../model/index.ts';
import type { OffsetStore, PositionMove, StoredOffset } from '../../offsets/index.ts';
import { at, begin, claimOne, commitOf, rejection, rowOf, still, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** A reset of a row as it is. */
export function resetOf(seen: StoredOffset, toOffset: bigint, topicId = seen.topicId): PositionMove {
  const { topic, partition } = seen;
  return { topic, partition, kind: 'reset', toOffset, topicId, reason: 'for a test', seen };
}

async function move(store: OffsetStore, moves: readonly PositionMove[]): Promise<readonly TopicPartition[]> {
  return (await store.move(moves, 'anna')).map(({ topic, partition }) => ({ topic, partition }));
}

/** Operators move, remove and interrupt: only what is as they saw it, and never against a worker that goes on. */
export function moveTests(suite: StoreSuite): void {
  const { test, assert } = suite;

  test('a reset moves the row, adopts the topic id, forgets leader epoch and state', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5]);
      const held = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(held, 5, 9, { leaderEpoch: 4 })]);
      await store.setState(held, 'parked', 'a bad record');
      const before = await rowOf(store, at('orders', 0));
      const target = 2n ** 53n + 1n;
      assert.deepEqual(await move(other, [resetOf(before, target, 'another id')]), []);
      const after = await rowOf(store, at('orders', 0));
      assert.deepEqual(still(after), {
        ...still(before),
        nextOffset: target,
        claim: null,
        owner: null,
        ownerEpoch: before.ownerEpoch + 1n,
        topicId: 'another id',
        leaderEpoch: -1,
        incarnation: before.incarnation + 1n,
        state: 'running',
        reason: null,
      });
    }));

  test('the worker whose row was moved is fenced, and goes on from there after a fresh claim', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0]);
      const held = await claimOne(store, at('orders', 0));
      await move(other, [resetOf(await rowOf(other, at('orders', 0)), 40n)]);
      if (suite.environment.capabilities.fenced) {
        assert.equal((await rejection(store.commitRanges([commitOf(held, 0, 5)]))).code, 'LEDGER_FENCED');
      }
      const again = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(again, 40, 45)]);
      assert.equal((await rowOf(store, at('orders', 0))).nextOffset, 45n);
    }));

  test('a row that is not as it was seen is named, and nothing is moved', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0, 0]);
      const seen = await other.read();
      const held = await claimOne(store, at('orders', 1));
      await store.commitRanges([commitOf(held, 0, 3)]);
      assert.deepEqual(
        await move(
          other,
          seen.map((row) => resetOf(row, 70n)),
        ),
        [at('orders', 1)],
      );
      assert.deepEqual(
        (await store.read()).map(({ nextOffset }) => nextOffset),
        [0n, 3n, 0n],
      );
      await store.commitRanges([commitOf(held, 3, 4)]);
    }));

  test('a partition without a row gets one, unless it has got one meanwhile', () =>
    withScene(suite, async ({ store, other }) => {
      const fresh = { ...at('orders', 0), kind: 'reset', toOffset: 12n, topicId: 'id', reason: 'import' } as const;
      assert.deepEqual(await move(other, [{ ...fresh, seen: undefined }]), []);
      const row = await rowOf(store, at('orders', 0));
      assert.deepEqual([row.nextOffset, row.topicId, row.claim, row.state], [12n, 'id', null, 'running']);
      const second = { ...fresh, toOffset: 13n, reason: 'another', seen: undefined };
      assert.deepEqual(await move(other, [second]), [at('orders', 0)]);
      assert.equal((await rowOf(store, at('orders', 0))).nextOffset, 12n);
      const held = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(held, 12, 20)]);
    }));

  test('a removed row is gone, and its epoch goes on rising when the partition comes back', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5, 5]);
      const held = await claimOne(store, at('orders', 0));
      const seen = await rowOf(store, at('orders', 0));
      assert.deepEqual(await other.remove([seen], 'anna', 'not needed'), []);
      assert.deepEqual(
        (await store.read()).map(({ partition }) => partition),
        [1],
      );
      if (suite.environment.capabilities.fenced) {
        assert.equal((await rejection(store.commitRanges([commitOf(held, 5, 6)]))).code, 'LEDGER_FENCED');
      }
      await begin(store, 'orders', [0, 5]);
      const row = await rowOf(store, at('orders', 0));
      if (suite.environment.capabilities.history) {
        assert.ok(row.ownerEpoch > seen.ownerEpoch);
        assert.ok(row.incarnation > seen.incarnation);
      }
      const again = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(again, 0, 1)]);
    }));

  test('a row that is not as it was seen is not removed', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5, 5]);
      const seen = await other.read();
      await claimOne(store, at('orders', 1));
      const changed = await other.remove(seen, 'anna', 'not needed');
      assert.deepEqual(
        changed.map(({ partition }) => partition),
        [1],
      );
      assert.equal((await store.read()).length, 2);
    }));

  test('an interrupted partition is nobody’s, and runs again where it was parked', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const held = await claimOne(store, at('orders', 0));
      await store.setState(held, 'parked', 'a bad record');
      await other.interrupt([at('orders', 0), at('nowhere', 0)]);
      const row = await rowOf(store, at('orders', 0));
      assert.deepEqual(
        [row.claim, row.owner, row.state, row.reason, row.ownerEpoch],
        [null, null, 'running', null, held.ownerEpoch + 1n],
      );
    }));
}
