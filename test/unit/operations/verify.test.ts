import { describe, expect, test } from 'vitest';
import type { OffsetStore } from '../../../src/offsets/index.ts';
import { type Progress, type VerifyStep, verify, verifyDeep } from '../../../src/operations/index.ts';
import { rangePages } from '../../../src/operations/rangePages.ts';
import { operatorScene, orders } from '../../support/operatorScene.ts';

const values = (count: number) =>
  Array.from({ length: count }, (_, id) => ({ key: `${id % 4}`, value: `value ${id}` }));

/** A store in which `before` happens each time one of its calls begins. */
function interrupted(
  store: OffsetStore,
  calls: readonly (keyof OffsetStore)[],
  before: () => Promise<void>,
): OffsetStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        if (calls.includes(name as keyof OffsetStore)) await before();
        return value.apply(target, args);
      };
    },
  });
}

const findingsOf = async (progress: Progress) => {
  const verified = await verify(progress, { choice: [] });
  return verified.flatMap(({ findings }) => findings.map(({ text }) => text));
};

describe('verify beside a running pipeline', () => {
  test('takes no commit for a fault, whenever it comes', async () => {
    const scene = await operatorScene();
    await scene.commit(5);
    const calls = ['ranges', 'read', 'newestRanges'] as const;
    const store = interrupted(scene.store, calls, () => scene.commit(3));
    expect(await findingsOf({ ...scene.progress, store })).toEqual([]);
  });

  test('takes no reset, removal or new beginning for a fault', async () => {
    const scene = await operatorScene();
    await scene.commit(5);
    let turn = 0;
    const store = interrupted(scene.store, ['read', 'newestRanges'], async () => {
      const [row] = await scene.store.read();
      const topicId = 'id';
      turn += 1;
      if (turn > 4) return;
      if (row === undefined) await scene.store.initialise([{ ...orders, nextOffset: 2n, topicId }]);
      else if (turn % 2 === 1) {
        await scene.store.move(
          [{ ...orders, kind: 'reset', toOffset: 1n, topicId, reason: 'again', seen: row }],
          'anna',
        );
      } else await scene.store.remove([row], 'anna', 'not needed');
    });
    expect(await findingsOf({ ...scene.progress, store })).toEqual([]);
    expect(turn).toBeGreaterThan(4);
  });

  test('finds a row that was moved by hand although claims change all the time', async () => {
    const scene = await operatorScene();
    await scene.commit(5);
    scene.database.moveByHand('pipeline', orders, 3n);
    const store = interrupted(scene.store, ['read', 'newestRanges'], () => scene.store.interrupt([orders]));
    expect(await findingsOf({ ...scene.progress, store })).toEqual([
      'The row of orders-0 stands at 3, its history ends at 5 (seq 2)',
    ]);
  });

  test('tells how far it is', async () => {
    const scene = await operatorScene();
    await scene.commit(5);
    const steps: VerifyStep[] = [];
    await verify(scene.progress, { choice: [], onStep: (step) => steps.push(step) });
    expect(steps).toEqual([{ what: 'ranges', count: 2, of: expect.objectContaining(orders) }]);
  });
});

describe('pages of a history', () => {
  test('hold every row once and fit each other although the newest row grows between them', async () => {
    const scene = await operatorScene();
    await scene.commit(5);
    await scene.commit(1, { kind: 'gap', reason: 'a loss' });
    const batchTimeMs = Date.UTC(2026, 0, 2);
    await scene.commit(4, { batchTimeMs });
    let calls = 0;
    // The fourth row ends the first page of four, merges with the next commit, and is followed by another row.
    const store = interrupted(scene.store, ['ranges'], async () => {
      calls += 1;
      if (calls !== 2) return;
      await scene.commit(7, { batchTimeMs });
      await scene.commit(1, { kind: 'gap', reason: 'another' });
    });
    const spans: string[] = [];
    for await (const page of rangePages(store, {}, 4)) {
      spans.push(...page.map(({ fromOffset, untilOffset }) => `${fromOffset}-${untilOffset}`));
    }
    expect(spans).toEqual(['0-0', '0-5', '5-6', '6-17', '17-18']);
  });
});

describe('verify --deep', () => {
  const deep = async (progress: Progress) => {
    const [found] = await verifyDeep(progress, { choice: [] });
    if (found === undefined) throw new Error('no partition');
    return { ...found.log, findings: found.findings.map(({ text }) => text) };
  };

  test('counts each range for itself, and reads no gap', async () => {
    const { cluster, commit, progress } = await operatorScene();
    cluster.produce('orders', 0, values(10));
    cluster.produce('orders', 0, values(10));
    await commit(3);
    await commit(9, { counts: { produced: 4, rows: 4, dropped: 5 } });
    await commit(5, { kind: 'gap', reason: 'a loss' });
    await commit(3);
    expect(await deep(progress)).toEqual({
      ...{ fromOffset: 0n, untilOffset: 20n, reason: undefined, ranges: 3, records: 15, shrunkRanges: 0, findings: [] },
    });
  });

  test('finds records that were not counted, in the range where they are', async () => {
    const { cluster, commit, progress } = await operatorScene();
    cluster.produce('orders', 0, values(10));
    await commit(4);
    await commit(4, { counts: { records: 3, produced: 3, rows: 3 } });
    await commit(2);
    expect(await deep(progress)).toMatchObject({
      ranges: 3,
      findings: ['orders-0 seq 3, offsets 4 to 8, counts 3 records, the log has 4'],
    });
  });

  test('says what is compacted or expired since, and takes neither for a fault', async () => {
    const { cluster, commit, progress } = await operatorScene();
    for (let batch = 0; batch < 4; batch += 1) cluster.produce('orders', 0, values(5));
    for (let range = 0; range < 4; range += 1) await commit(5);
    cluster.compact('orders', 0);
    expect(await deep(progress)).toMatchObject({
      ranges: 4,
      shrunkRanges: expect.toSatisfy((count) => count > 0),
      findings: [],
    });
    cluster.deleteRecords('orders', 0, 12n);
    expect(await deep(progress)).toMatchObject({ fromOffset: 12n, untilOffset: 20n, ranges: 2, findings: [] });
    cluster.deleteRecords('orders', 0, 20n);
    expect(await deep(progress)).toMatchObject({ ranges: 0, reason: 'the log has none of it any more', findings: [] });
  });

  test('does not hold a ledger against another topic of that name, or none', async () => {
    const { cluster, commit, progress } = await operatorScene();
    cluster.produce('orders', 0, values(5));
    await commit(5);
    cluster.deleteTopic('orders');
    expect(await deep(progress)).toMatchObject({ reason: 'the brokers do not have it', findings: [] });
    cluster.createTopic('orders');
    expect(await deep(progress)).toMatchObject({ reason: 'the topic was deleted and made again', findings: [] });
  });

  test('finds a position behind the end of the log', async () => {
    const { cluster, commit, progress } = await operatorScene();
    cluster.produce('orders', 0, values(5));
    await commit(5);
    await commit(4, { counts: { records: 0, produced: 0, rows: 0 } });
    expect(await deep(progress)).toMatchObject({
      ranges: 1,
      findings: ['orders-0 seq 3, offsets 5 to 9, ends behind the log, whose end is 5'],
    });
  });

  test('asks nobody about a partition that was removed', async () => {
    const { cluster, commit, progress, store } = await operatorScene();
    await commit(5);
    await store.remove(await store.read(), 'anna', 'not needed');
    cluster.deleteTopic('orders');
    const found = await verifyDeep(progress, { choice: [{ topic: 'orders', partitions: new Set([0]) }] });
    expect(found).toMatchObject([{ log: { reason: 'the partition has no position' }, findings: [] }]);
  });

  test('looks at the newest incarnation only', async () => {
    const { cluster, commit, progress, store } = await operatorScene();
    cluster.produce('orders', 0, values(10));
    await commit(10, { counts: { records: 2, produced: 2, rows: 2 } });
    const [row] = await store.read();
    const topicId = row?.topicId ?? '';
    await store.move([{ ...orders, kind: 'reset', toOffset: 6n, topicId, reason: 'again', seen: row }], 'anna');
    await commit(4);
    expect(await deep(progress)).toMatchObject({ fromOffset: 6n, records: 4, findings: [] });
  });
});
