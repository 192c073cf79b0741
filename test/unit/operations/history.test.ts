import { describe, expect, test } from 'vitest';
import type { OffsetStore } from '../../../src/offsets/index.ts';
import { parseChosenTopic, readHistory } from '../../../src/operations/index.ts';
import { ManualClock, MemoryDatabase } from '../../../src/testkit/index.ts';
import { commitOf } from '../../../src/testkit/storeConformance/scene.ts';

/** Partitions whose ranges are committed a second apart: `order` says whose. */
async function committed(order: readonly number[]) {
  const clock = new ManualClock();
  const store = new MemoryDatabase({ clock }).store('pipeline');
  await store.open();
  await store.registerOwner({ instanceId: 'me', host: 'h', bootId: '', pid: 1 });
  const partitions = [...new Set(order)];
  await store.initialise(
    partitions.map((partition) => ({ topic: 'orders', partition, nextOffset: 0n, topicId: 'id' })),
  );
  const rows = await store.read();
  const outcomes = await store.claim(rows.map(({ topic, partition }) => ({ topic, partition, seenClaim: null })));
  const next = new Map<number, number>();
  for (const partition of order) {
    await clock.advance(60_000);
    const outcome = outcomes[partitions.toSorted((a, b) => a - b).indexOf(partition)];
    if (outcome?.claimed !== true) throw new Error('the claim missed');
    const from = next.get(partition) ?? 0;
    await store.commitRanges([commitOf(outcome.held, from, from + 2, { batchTimeMs: clock.now() })]);
    next.set(partition, from + 2);
  }
  return {
    store,
    progress: {
      pipeline: 'pipeline',
      place: 'memory',
      store,
      driver: undefined,
      selection: undefined,
      groupId: undefined,
    },
  };
}

describe('history', () => {
  test('is the newest of all partitions together, however they share it', async () => {
    const order = [...Array.from({ length: 30 }, () => 0), 1, 2, 1, ...Array.from({ length: 12 }, () => 2), 0];
    const { progress } = await committed(order);
    for (const limit of [1, 2, 5, 13, 40, 47, 1000]) {
      const found = await readHistory(progress, { choice: [], limit });
      const expected = [...order, ...new Set(order)].length;
      expect(found.length).toBe(Math.min(limit, expected));
      const newest = found.filter(({ kind }) => kind === 'batch').map(({ partition }) => partition);
      expect(newest).toEqual(order.toReversed().slice(0, newest.length));
    }
    expect(await readHistory(progress, { choice: [], limit: 0 })).toEqual([]);
  });

  test('reads partitions deep only where they are in the answer', async () => {
    const { store, progress } = await committed([
      ...Array.from({ length: 40 }, () => 0),
      ...Array.from({ length: 20 }, (_, id) => id + 1),
    ]);
    let rows = 0;
    const counting = new Proxy<OffsetStore>(store, {
      get: (target, name) =>
        name === 'newestRanges'
          ? async (...args: Parameters<OffsetStore['newestRanges']>) => {
              const found = await target.newestRanges(...args);
              rows += found.length;
              return found;
            }
          : (Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)),
    });
    const found = await readHistory({ ...progress, store: counting }, { choice: [], limit: 10 });
    expect(found.map(({ partition }) => partition)).toEqual(Array.from({ length: 10 }, (_, id) => 20 - id));
    expect(rows).toBeLessThan(21 + 10 * 4 + 1);
  });

  test('is narrowed to partitions, and to a time', async () => {
    const { progress } = await committed([0, 1, 0, 1]);
    const all = await readHistory(progress, { choice: [parseChosenTopic('orders:1')], limit: 9 });
    expect(all.map(({ partition, kind }) => `${partition} ${kind}`)).toEqual(['1 batch', '1 batch', '1 base']);
    const sinceMs = all[0]?.committedAtMs;
    const since = await readHistory(progress, { choice: [], limit: 9, sinceMs });
    expect(since.map(({ partition, untilOffset }) => [partition, untilOffset])).toEqual([[1, 4n]]);
    const nothing = readHistory(progress, { choice: [parseChosenTopic('orders:7')], limit: 9 });
    await expect(nothing).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});
