import { describe, expect, onTestFinished, test } from 'vitest';
import { TidemarkError } from '../../../src/errors.ts';
import type { StorePlace } from '../../../src/offsets/index.ts';
import { describeProgress, listProgress, type Progress } from '../../../src/operations/index.ts';
import { systemClock } from '../../../src/platform/index.ts';
import { MemoryCluster, MemoryDatabase } from '../../../src/testkit/memory/index.ts';

const owner = { instanceId: 'b1c7', host: 'worker-1', bootId: '', pid: 412 };

/** A pipeline with four partitions at offset 1 of 3, the first two of them held by a process. */
async function setting() {
  let shiftMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + shiftMs, monotonic: () => performance.now() + shiftMs };
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase({ clock })];
  const topicId = cluster.createTopic('orders', { partitions: 4 });
  const all = [0, 1, 2, 3].map((partition) => ({ topic: 'orders', partition }));
  for (const { partition } of all)
    cluster.produce('orders', partition, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
  const [driver, store] = [cluster.driver(), database.store('p')];
  onTestFinished(async () => void (await Promise.all([driver.close(), store.close()])));
  await Promise.all([driver.connect(), store.open()]);
  await store.registerOwner(owner);
  await store.initialise(all.map((of) => ({ ...of, topicId, nextOffset: 1n })));
  const outcomes = await store.claim(all.slice(0, 2).map((of) => ({ ...of, seenClaim: null })));
  const held = outcomes.flatMap((outcome) => (outcome.claimed ? [outcome.held] : []));
  const progress: Progress = { pipeline: 'p', place: 'memory', store, driver, selection: undefined, groupId: 'g' };
  const later = (ms: number) => {
    shiftMs += ms;
  };
  const shown = async () => describeProgress(progress, { choice: [], clock });
  return { clock, cluster, database, driver, store, progress, held, later, shown };
}

describe('describe', () => {
  test('names the process that holds a partition, and how long it has been silent', async () => {
    const { shown, later } = await setting();
    const fresh = (await shown()).partitions.map((one) => one.owner);
    const known = { kind: 'process', id: 'b1c7', host: 'worker-1', pid: 412 };
    const live = { ...known, isAlive: true, silentMs: expect.any(Number) };
    expect(fresh).toEqual([live, live, undefined, undefined]);
    later(60_000);
    const silent = (await shown()).partitions[0]?.owner;
    expect(silent).toMatchObject({ ...known, isAlive: false });
    expect(silent?.silentMs).toBeGreaterThanOrEqual(60_000);
  });

  test('where nobody holds it, the member of the group that has it', async () => {
    const { cluster, shown } = await setting();
    const driver = cluster.driver();
    onTestFinished(() => driver.close());
    await driver.connect();
    const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
    await driver.openMembership({ groupId: 'g', subscription: { topics: ['orders'] } }, listener).join();
    const owners = (await shown()).partitions.map((one) => one.owner?.kind);
    expect(owners).toEqual(['process', 'process', 'member', 'member']);
  });

  test('the last commit is the newest batch or gap, and no reset', async () => {
    const { store, shown, later } = await setting();
    const row = (await store.read()).find(({ partition }) => partition === 3);
    if (row === undefined) throw new Error('no row');
    await store.move([{ ...row, kind: 'gap', toOffset: 2n, reason: 'skip', seen: row }], 'eva');
    later(30_000);
    const after = (await store.read()).find(({ partition }) => partition === 3);
    if (after === undefined) throw new Error('no row');
    const { topicId } = after;
    await store.move([{ ...after, kind: 'reset', toOffset: 0n, topicId, reason: 'again', seen: after }], 'eva');
    const ages = (await shown()).partitions.map(({ lastCommitMs }) => lastCommitMs);
    expect(ages.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(ages[3]).toBeGreaterThanOrEqual(30_000);
    expect(ages[3]).toBeLessThan(60_000);
  });

  test('shows what the group has; a group that does not answer is said, and hides nothing else', async () => {
    const { cluster, driver, shown } = await setting();
    await driver.commitOffsets('g', [{ topic: 'orders', partition: 2, offset: 3n, metadata: '' }]);
    expect((await shown()).partitions.map(({ groupOffset }) => groupOffset)).toEqual([
      undefined,
      undefined,
      3n,
      undefined,
    ]);
    const refused = new TidemarkError('KAFKA_AUTHORIZATION_FAILED', 'no right to group g');
    cluster.faults.fail('committedOffsets', { groupId: 'g' }, { error: refused });
    const { partitions, warnings } = await shown();
    expect(partitions.map(({ groupOffset, lag }) => [groupOffset, lag])).toEqual(Array(4).fill([undefined, 2n]));
    expect(warnings).toEqual(['consumer group g: no right to group g']);
  });
});

describe('list', () => {
  test('has every pipeline of the place and every group of the cluster', async () => {
    const { database, driver, clock, held } = await setting();
    await driver.commitOffsets('g', [
      { topic: 'orders', partition: 2, offset: 1n, metadata: '' },
      { topic: 'orders', partition: 3, offset: 3n, metadata: '' },
    ]);
    expect(held).toHaveLength(2);
    const known = { topics: ['orders'], error: undefined };
    expect(await listProgress({ place: database.place, driver, clock })).toEqual([
      {
        ...{ ...known, name: 'p', kind: 'pipeline', partitions: 4, ownersAlive: 1, lag: 8n, lastCommitMs: undefined },
        states: { running: 4 },
      },
      {
        ...{ ...known, name: 'g', kind: 'group', partitions: 2, ownersAlive: 0, lag: 2n, lastCommitMs: undefined },
        states: { Empty: 1 },
      },
    ]);
  });

  test('one that cannot be looked at does not hide the others', async () => {
    const { database } = await setting();
    const damaged = new TidemarkError('STORE_REQUEST_FAILED', 'damaged');
    const place: StorePlace = {
      ...database.place,
      pipelines: async () => ['broken', 'p'],
      store: (name) => {
        if (name === 'broken') throw damaged;
        return database.store(name);
      },
    };
    expect(await listProgress({ place })).toMatchObject([
      { name: 'broken', partitions: 0, error: damaged },
      { name: 'p', partitions: 4, lag: undefined, error: undefined },
    ]);
  });
});
