import type { NewControl } from '../../offsets/index.ts';
import { at, begin, claimed, claimOne, commitOf, rejection, rowOf, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

const pauseAll: NewControl = {
  topic: null,
  partition: null,
  order: 'pause',
  fromOffset: null,
  untilOffset: null,
  reason: "it's maintenance",
};

function skipOf(partition: number, fromOffset: bigint, untilOffset: bigint): NewControl {
  return { topic: 'orders', partition, order: 'skip', fromOffset, untilOffset, reason: 'poison' };
}

/** What operators order reaches the pipeline it is for, and stops who works against it. */
export function controlTests(suite: StoreSuite): void {
  const { test, assert } = suite;

  test('orders are read as they were given, in their order, by their pipeline alone', () =>
    withScene(suite, async ({ place, store, other }) => {
      const neighbour = place.newStore('neighbour');
      await neighbour.open();
      await neighbour.order([pauseAll], 'carl');
      const given = [
        ...(await other.order([pauseAll], 'anna')),
        ...(await other.order([skipOf(3, 2n ** 53n + 1n, 2n ** 63n - 1n)], 'ben')),
      ];
      const controls = await store.controls();
      assert.deepEqual(controls, given);
      assert.deepEqual(
        controls.map(({ id: _, orderedAtMs: __, ...control }) => control),
        [
          { ...pauseAll, orderedBy: 'anna' },
          { ...skipOf(3, 2n ** 53n + 1n, 2n ** 63n - 1n), orderedBy: 'ben' },
        ],
      );
      assert.equal(new Set(controls.map(({ id }) => id)).size, 2);
      await neighbour.close();
    }));

  test('an order fences whoever works on the partitions it is about, and nobody else', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const [zero, one] = await claimed(store, at('orders', 0), at('orders', 1));
      await other.order([{ ...pauseAll, topic: 'orders', partition: 0 }], 'anna');
      if (zero === undefined || one === undefined) throw new Error('no claims');
      assert.equal((await rejection(store.commitRanges([commitOf(zero, 0, 5)]))).code, 'LEDGER_FENCED');
      await store.commitRanges([commitOf(one, 0, 5)]);
      const row = await rowOf(store, at('orders', 0));
      assert.deepEqual([row.nextOffset, row.claim, row.ownerEpoch], [0n, null, zero.ownerEpoch + 1n]);
    }));

  test('a skip of what is committed already is refused, and leaves no order', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      const held = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(held, 0, 5)]);
      const late = await rejection(other.order([skipOf(1, 3n, 4n), skipOf(0, 4n, 6n)], 'anna'));
      assert.equal(late.code, 'LEDGER_MOVED');
      assert.deepEqual([late.topic, late.partition], ['orders', 0]);
      assert.deepEqual(await store.controls(), []);
      await store.commitRanges([commitOf(held, 5, 6)]);
    }));

  test('a skip of the very next offset is taken', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5]);
      assert.equal((await other.order([skipOf(0, 5n, 6n)], 'anna')).length, 1);
    }));

  test('orders that are withdrawn are over, the others stay', () =>
    withScene(suite, async ({ store, other }) => {
      const [first] = await other.order([pauseAll, skipOf(0, 1n, 2n)], 'anna');
      await other.withdraw([first?.id ?? 0n, 999_999n]);
      assert.deepEqual(
        (await store.controls()).map(({ order }) => order),
        ['skip'],
      );
    }));

  test('a gap ends the skips that lie behind it', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      await other.order([skipOf(0, 2n, 4n), skipOf(0, 4n, 6n), skipOf(1, 2n, 4n)], 'anna');
      const held = await claimOne(store, at('orders', 0));
      await store.commitRanges([commitOf(held, 0, 2)]);
      await store.commitRanges([commitOf(held, 2, 4, { kind: 'gap', reason: 'poison' })]);
      assert.deepEqual(
        (await store.controls()).map(({ partition, fromOffset }) => [partition, fromOffset]),
        [
          [0, 4n],
          [1, 2n],
        ],
      );
    }));

  test('a move ends the skips that lie behind it, and a removal every order of the partition', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [0, 0]);
      await other.order(
        [skipOf(0, 2n, 4n), skipOf(0, 8n, 9n), skipOf(1, 2n, 4n), { ...pauseAll, topic: 'orders', partition: 1 }],
        'anna',
      );
      const [zero, one] = [await rowOf(store, at('orders', 0)), await rowOf(store, at('orders', 1))];
      const to = { kind: 'reset', toOffset: 5n, topicId: zero.topicId, reason: 'test' } as const;
      assert.deepEqual(await other.move([{ ...at('orders', 0), ...to, seen: zero }], 'anna'), []);
      assert.deepEqual(await other.remove([one], 'anna', 'test'), []);
      assert.deepEqual(
        (await store.controls()).map(({ partition, fromOffset }) => [partition, fromOffset]),
        [[0, 8n]],
      );
    }));
}
