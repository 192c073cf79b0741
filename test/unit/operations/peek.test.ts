import { describe, expect, test } from 'vitest';
import { type PeekOptions, peek } from '../../../src/operations/index.ts';
import { assembleRecordBatch, type MemoryCluster } from '../../../src/testkit/index.ts';
import { operatorScene, orders } from '../../support/operatorScene.ts';

const value = (text: string, key: string | null = null) => ({ key, value: text });

async function peeked(scene: Awaited<ReturnType<typeof operatorScene>>, options: Partial<PeekOptions> = {}) {
  const found = await peek(scene.progress, { of: orders, before: 3, after: 3, ...options });
  const offsets = (records: typeof found.before) => records.map(({ offset }) => Number(offset));
  return { ...found, before: offsets(found.before), after: offsets(found.after) };
}

/** A batch that a broker took and nobody can unpack: `count` records. */
function produceDamaged(cluster: MemoryCluster, count: number): void {
  const records = Array.from({ length: count }, () => ({ value: 'x' }));
  cluster.append('orders', 0, assembleRecordBatch({ baseOffset: 0n, records, codec: 'gzip' }, Buffer.from('no gzip')));
}

describe('peek', () => {
  test('gives the records around the position, bytes and all', async () => {
    const scene = await operatorScene({ nextOffset: 5n });
    scene.cluster.produce(
      'orders',
      0,
      Array.from({ length: 10 }, (_, id) => value(`value ${id}`, `key ${id}`)),
    );
    scene.cluster.produce('orders', 0, [{ value: null, key: null, timestamp: 7, headers: [['a', null]] }]);
    const found = await peek(scene.progress, { of: orders, before: 2, after: 1 });
    expect([found.offset, found.damage]).toEqual([5n, []]);
    expect(found.before.map(({ offset, key, value }) => [offset, String(key), String(value)])).toEqual([
      [3n, 'key 3', 'value 3'],
      [4n, 'key 4', 'value 4'],
    ]);
    expect(found.after.map(({ offset }) => offset)).toEqual([5n, 6n]);
    const last = await peek(scene.progress, { of: orders, offset: 10n, before: 0, after: 9 });
    expect(last.after).toEqual([{ offset: 10n, timestamp: 7, key: null, value: null, headers: [['a', null]] }]);
  });

  test('takes records and not offsets before it, across any hole, down to the log start', async () => {
    const scene = await operatorScene({ nextOffset: 400n });
    for (let id = 0; id < 400; id += 1)
      scene.cluster.produce('orders', 0, [value(`${id}`, id < 4 ? `k${id}` : 'same')]);
    scene.cluster.produce('orders', 0, [value('active')]);
    scene.cluster.compact('orders', 0);
    expect(await peeked(scene)).toMatchObject({ before: [2, 3, 399], after: [400] });
    expect(await peeked(scene, { before: 9 })).toMatchObject({ before: [0, 1, 2, 3, 399] });
    scene.cluster.deleteRecords('orders', 0, 3n);
    expect(await peeked(scene, { before: 9 })).toMatchObject({ before: [3, 399] });
  });

  test('gives nothing at the end of the log, nothing of an open or aborted transaction', async () => {
    const scene = await operatorScene({ nextOffset: 3n });
    scene.cluster.produce('orders', 0, [value('a'), value('b'), value('c')]);
    expect(await peeked(scene)).toMatchObject({ before: [0, 1, 2], after: [] });
    const aborted = scene.cluster.beginTransaction();
    aborted.send('orders', 0, [value('no')]);
    aborted.abort();
    scene.cluster.produce('orders', 0, [value('d')]);
    const open = scene.cluster.beginTransaction();
    open.send('orders', 0, [value('not yet')]);
    scene.cluster.produce('orders', 0, [value('behind it')]);
    expect(await peeked(scene)).toMatchObject({ before: [0, 1, 2], after: [5] });
    expect(await peeked(scene, { offset: 100n })).toMatchObject({ before: [1, 2, 5], after: [] });
  });

  test('begins at the log start when the position has expired', async () => {
    const scene = await operatorScene({ nextOffset: 1n });
    scene.cluster.produce('orders', 0, [value('a'), value('b'), value('c'), value('d')]);
    scene.cluster.deleteRecords('orders', 0, 2n);
    expect(await peeked(scene)).toMatchObject({ before: [], after: [2, 3], position: { state: 'records lost' } });
  });

  test('names a batch that cannot be read and shows what is around it', async () => {
    const scene = await operatorScene({ nextOffset: 6n });
    for (const text of ['a', 'b', 'c']) scene.cluster.produce('orders', 0, [value(text)]);
    produceDamaged(scene.cluster, 2);
    scene.cluster.produce('orders', 0, [value('f'), value('g')]);
    produceDamaged(scene.cluster, 3);
    scene.cluster.produce('orders', 0, [value('k')]);
    const found = await peeked(scene);
    expect(found).toMatchObject({ before: [1, 2, 5], after: [6, 10] });
    expect(found.damage.map(({ fromOffset, untilOffset, error }) => [fromOffset, untilOffset, error.code])).toEqual([
      [3n, 5n, 'KAFKA_CORRUPT_BATCH'],
      [7n, 10n, 'KAFKA_CORRUPT_BATCH'],
    ]);
    // The batch is one although the steps back cut it.
    expect((await peeked(scene, { offset: 10n, before: 1, after: 0 })).damage).toMatchObject([
      { fromOffset: 7n, untilOffset: 10n },
    ]);
  });

  test('says what is missing where there is nothing to look at', async () => {
    const scene = await operatorScene();
    const noBrokers = { ...scene.progress, driver: undefined };
    await expect(peek(noBrokers, { of: orders, before: 1, after: 1 })).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    const other = { of: { topic: 'orders', partition: 9 }, before: 1, after: 1 };
    await expect(peek(scene.progress, other)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
    scene.cluster.addPartitions('orders', 2);
    const added = { of: { topic: 'orders', partition: 1 }, before: 1, after: 1 };
    await expect(peek(scene.progress, added)).rejects.toThrow('has no position yet');
    expect(await peeked(scene, { ...added, offset: 0n })).toMatchObject({ before: [], after: [] });
    scene.cluster.deleteTopic('orders');
    await expect(peek(scene.progress, { of: orders, before: 1, after: 1 })).rejects.toThrow(
      'the brokers do not have it',
    );
  });
});
