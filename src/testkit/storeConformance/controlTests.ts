import { withScene } from './scene.ts';
import type { StoreSuite } from './suite.ts';

/** What operators ordered reaches the pipeline it is for. */
export function controlTests(suite: StoreSuite): void {
  const { test, assert } = suite;

  test('orders are read as they were given, in their order', () =>
    withScene(suite, async ({ place, store }) => {
      const pauseAll = {
        topic: null,
        partition: null,
        order: 'pause',
        fromOffset: null,
        untilOffset: null,
        reason: "it's maintenance",
        orderedBy: 'anna',
      } as const;
      const skip = {
        topic: 'orders',
        partition: 3,
        order: 'skip',
        fromOffset: 2n ** 53n + 1n,
        untilOffset: 2n ** 63n - 1n,
        reason: 'poison',
        orderedBy: 'ben',
      } as const;
      await place.writeControl('conformance', pauseAll);
      await place.writeControl('conformance', skip);
      await place.writeControl('neighbour', pauseAll);
      const controls = await store.controls();
      assert.deepEqual(
        controls.map(({ id: _, ...control }) => control),
        [pauseAll, skip],
      );
      assert.equal(new Set(controls.map(({ id }) => id)).size, 2);
    }));
}
