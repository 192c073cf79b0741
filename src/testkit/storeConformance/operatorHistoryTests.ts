import type { CommittedRange } from '../../offsets/index.ts';
import { resetOf } from './moveTests.ts';
import { at, begin, claimOne, commitOf, rowOf, still, withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

const shape = ({ kind, fromOffset, untilOffset, incarnation, owner, reason }: CommittedRange) => ({
  ...{ kind, fromOffset, untilOffset, incarnation, owner, reason },
});

/** What operators did stands in the history, which is read in pages and from its end. */
export function operatorHistoryTests(suite: StoreSuite): void {
  const { test, assert } = suite;

  test('a reset begins the next incarnation where it went, a gap stays in its own; both say who and why', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5]);
      const of = at('orders', 0);
      const { incarnation } = await rowOf(store, of);
      const gap = { ...of, kind: 'gap', toOffset: 8n, reason: 'poison', seen: await rowOf(store, of) } as const;
      assert.deepEqual(await other.move([gap], 'anna'), []);
      assert.deepEqual(await other.move([resetOf(await rowOf(store, of), 2n)], 'ben'), []);
      const ranges = await store.ranges({ limit: 10 });
      assert.deepEqual(ranges.slice(1).map(shape), [
        { kind: 'gap', fromOffset: 5n, untilOffset: 8n, incarnation, owner: 'anna', reason: 'poison' },
        {
          ...{ kind: 'reset', fromOffset: 2n, untilOffset: 2n, incarnation: incarnation + 1n, owner: 'ben' },
          reason: 'for a test',
        },
      ]);
      const held = await claimOne(store, of);
      await store.commitRanges([commitOf(held, 2, 3)]);
    }));

  test('a move that is sent twice moves once', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5]);
      const moves = [resetOf(await rowOf(store, at('orders', 0)), 3n)];
      assert.deepEqual(await other.move(moves, 'anna'), []);
      const once = await rowOf(store, at('orders', 0));
      assert.deepEqual(await other.move(moves, 'anna'), []);
      assert.deepEqual(still(await rowOf(store, at('orders', 0))), still(once));
    }));

  test('a removal leaves a row that says who and why', () =>
    withScene(suite, async ({ store, other }) => {
      await begin(store, 'orders', [5]);
      await other.remove([await rowOf(store, at('orders', 0))], 'anna', 'not needed');
      const newest = await store.newestRange(at('orders', 0));
      assert.deepEqual([newest?.kind, newest?.owner, newest?.reason], ['reset', 'anna', 'not needed']);
    }));

  test('pages hold every row once, in order, of the topics that were asked for', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [0, 0]);
      await begin(store, 'bills', [0]);
      for (const of of [at('orders', 0), at('orders', 1), at('bills', 0)]) {
        const held = await claimOne(store, of);
        await store.commitRanges([commitOf(held, 0, 3)]);
        await store.commitRanges([commitOf(held, 3, 4, { kind: 'gap', reason: 'a hole' })]);
      }
      const whole = await store.ranges({ limit: 100 });
      assert.deepEqual(
        whole.map(({ topic, partition, seq }) => [topic, partition, seq]),
        ['bills:0', 'orders:0', 'orders:1'].flatMap((key) => {
          const [topic, partition] = key.split(':');
          return [1n, 2n, 3n].map((seq) => [topic, Number(partition), seq]);
        }),
      );
      const paged: CommittedRange[] = [];
      for (;;) {
        const page = await store.ranges({ limit: 2, after: paged.at(-1) });
        paged.push(...page);
        if (page.length < 2) break;
      }
      assert.deepEqual(paged, whole);
      assert.equal((await store.ranges({ topics: ['bills'], limit: 100 })).length, 3);
      assert.deepEqual(await store.ranges({ topics: ['unknown'], limit: 100 }), []);
    }));

  test('the newest rows of each partition come newest first', () =>
    withScene(suite, async ({ store }) => {
      await begin(store, 'orders', [0, 0]);
      for (const of of [at('orders', 0), at('orders', 1)]) {
        const held = await claimOne(store, of);
        await store.commitRanges([commitOf(held, 0, 3)]);
        await store.commitRanges([commitOf(held, 3, 4, { kind: 'gap', reason: 'a hole' })]);
      }
      const newest = await store.newestRanges(2);
      assert.deepEqual(newest.map(({ partition, seq }) => `${partition}:${seq}`).sort(), ['0:2', '0:3', '1:2', '1:3']);
      const times = newest.map(({ committedAtMs }) => committedAtMs);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
      const one = await store.newestRanges(1, [at('orders', 1), at('unknown', 0)]);
      assert.deepEqual(
        one.map(({ partition, kind }) => [partition, kind]),
        [[1, 'gap']],
      );
    }));
}
