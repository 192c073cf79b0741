import { describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../../src/index.ts';
import { mirrorPositions, type Progress, reset } from '../../../src/operations/index.ts';
import { systemClock } from '../../../src/platform/index.ts';
import { MemoryCluster, MemoryDatabase, type MemoryDriver } from '../../../src/testkit/index.ts';
import { waitUntil } from '../../services/index.ts';

const topic = 'orders';
const groupId = 'tools';

/** A cluster with a topic of two partitions, three records in each, and a database; all in memory. */
function world() {
  let shiftMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + shiftMs, monotonic: () => performance.now() + shiftMs };
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase({ clock })];
  cluster.createTopic(topic, { partitions: 2 });
  const produce = (partition: number) =>
    cluster.produce(topic, partition, [{ value: 'x' }, { value: 'y' }, { value: 'z' }]);
  produce(0);
  produce(1);
  const start = async (source: Partial<PipelineOptions['source']> = {}, kafka?: MemoryDriver) => {
    const pipeline = definePipeline({
      ...{ pipeline: 'p', sink: database, batch: { lingerMs: 0 } },
      kafka: kafka === undefined ? cluster : { createDriver: () => kafka },
      source: { topics: [topic], groupId, ...source },
    });
    onTestFinished(() => pipeline.stop().catch(() => {}));
    const degraded: string[] = [];
    pipeline.events.on('degraded', ({ what, error }) => degraded.push(`${what} ${error.code}`));
    await pipeline.start();
    return { pipeline, degraded };
  };
  const told = () => cluster.committedOffsets(groupId, topic).map(({ offset }) => offset);
  const toldOf = (offsets: readonly bigint[]) =>
    waitUntil(`the group to hear of ${offsets}`, () => String(told()) === String(offsets));
  const stored = () => database.offsets('p').map(({ nextOffset }) => nextOffset);
  const committed = (offsets: readonly bigint[]) =>
    waitUntil(`${offsets} to be committed`, () => String(stored()) === String(offsets));
  const later = (ms: number) => {
    shiftMs += ms;
  };
  return { cluster, database, produce, start, told, toldOf, committed, later };
}

async function operator({ cluster, database }: ReturnType<typeof world>): Promise<Progress> {
  const [driver, store] = [cluster.driver(), database.store('p')];
  onTestFinished(async () => void (await Promise.all([driver.close(), store.close()])));
  await Promise.all([driver.connect(), store.open()]);
  return { pipeline: 'p', place: 'memory', store, driver, selection: undefined, groupId, isMirrored: true };
}

/** A consumer of somebody else in the group. */
async function strangerIn({ cluster }: ReturnType<typeof world>) {
  const driver = cluster.driver();
  onTestFinished(() => driver.close());
  await driver.connect();
  const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
  const member = driver.openMembership({ groupId, subscription: { topics: [topic] } }, listener);
  await member.join();
  return member;
}

describe('the mirror', () => {
  test('the group hears of every held partition, in the name of the pipeline', async () => {
    const { cluster, start, toldOf, produce } = world();
    await start();
    await toldOf([3n, 3n]);
    expect(cluster.committedOffsets(groupId, topic).map(({ metadata }) => metadata)).toEqual([
      'tidemark:p',
      'tidemark:p',
    ]);
    produce(1);
    await toldOf([3n, 6n]);
  });

  test('of a partition where nothing happens too', async () => {
    const { start, toldOf } = world();
    await start({ reset: 'latest' });
    await toldOf([3n, 3n]);
  });

  test('at a clean stop the last position is told first', async () => {
    const { start, toldOf, told, committed, produce } = world();
    const { pipeline } = await start();
    await toldOf([3n, 3n]);
    produce(0);
    produce(1);
    await committed([6n, 6n]);
    await pipeline.stop();
    expect(told()).toEqual([6n, 6n]);
  });

  test('with assignment: group each member tells of its own partitions, also at its stop', async () => {
    const { start, toldOf, told, committed, produce } = world();
    const grouped = { assignment: 'group', group: { heartbeatIntervalMs: 100 } } as const;
    const [first, second] = [await start(grouped), await start(grouped)];
    await toldOf([3n, 3n]);
    produce(0);
    produce(1);
    await committed([6n, 6n]);
    await Promise.all([first.pipeline.stop(), second.pipeline.stop()]);
    expect(told()).toEqual([6n, 6n]);
    expect([...first.degraded, ...second.degraded]).toEqual([]);
  });

  test('it follows a reset back', async () => {
    const surroundings = world();
    const { start, toldOf } = surroundings;
    await start();
    await toldOf([3n, 3n]);
    const progress = await operator(surroundings);
    await progress.store.order(
      [{ topic, partition: 0, order: 'pause', fromOffset: null, untilOffset: null, reason: 'look' }],
      'eva',
    );
    const choice = [{ topic, partitions: new Set([0]) }];
    await reset(progress, { choice, target: { to: 'offset', offset: 1n }, execute: true, by: 'eva' });
    await toldOf([1n, 3n]);
  });

  test('a group with members of somebody else refuses: said once, and no reason not to be ready', async () => {
    const surroundings = world();
    const { cluster, start, toldOf, committed, produce } = surroundings;
    const stranger = await strangerIn(surroundings);
    const { pipeline, degraded } = await start();
    await committed([3n, 3n]);
    const refused = cluster.faults.delay('commitOffsets', 0);
    await waitUntil('it to be tried again', () => refused.met >= 2);
    produce(0);
    await committed([6n, 3n]);
    expect(degraded).toEqual(['mirror GROUP_ACTIVE']);
    expect(pipeline.status()).toMatchObject({ ready: 'ready', degraded: [{ what: 'mirror' }] });
    await stranger.leave();
    await toldOf([6n, 3n]);
    expect(pipeline.status().degraded).toEqual([]);
  });

  test('a coordinator that is silent holds up neither work nor the stop', async () => {
    const { cluster, start, committed, produce } = world();
    const held = cluster.faults.hold('commitOffsets', { groupId });
    const { pipeline, degraded } = await start();
    await held.waited();
    produce(0);
    await committed([6n, 3n]);
    await pipeline.stop({ deadlineMs: 5000 });
    expect(degraded).toEqual([]);
    held.release();
  });

  test('mirror: false tells the group nothing', async () => {
    const { cluster, start, committed, told } = world();
    const asked = cluster.faults.delay('commitOffsets', 0);
    const { pipeline } = await start({ mirror: false });
    await committed([3n, 3n]);
    await pipeline.stop();
    expect([told(), asked.met]).toEqual([[], 0]);
  });

  test('nothing starts from it, but new partitions of a pipeline that did start from the group', async () => {
    const { cluster, database, start, committed, produce } = world();
    const first = await start({ startFromGroup: true });
    await committed([3n, 3n]);
    await first.pipeline.stop();
    cluster.addPartitions(topic, 3);
    produce(2);
    const second = await start({ startFromGroup: true });
    await committed([3n, 3n, 3n]);
    await second.pipeline.stop();
    for (const partition of [0, 1, 2]) database.removeByHand('p', { topic, partition });
    await expect(start({ startFromGroup: true })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('positions that were moved while nobody works', () => {
  async function stopped() {
    const surroundings = world();
    const { pipeline } = await surroundings.start();
    await surroundings.committed([3n, 3n]);
    await pipeline.stop();
    const progress = await operator(surroundings);
    await reset(progress, { choice: [], target: { to: 'earliest' }, execute: true, by: 'eva' });
    return { ...surroundings, progress, surroundings };
  }

  test('are told to the group', async () => {
    const { progress, told } = await stopped();
    expect(told()).toEqual([3n, 3n]);
    expect(await mirrorPositions(progress)).toBeUndefined();
    expect(told()).toEqual([0n, 0n]);
  });

  test('are not, where the pipeline does not mirror', async () => {
    const { progress, told } = await stopped();
    expect(await mirrorPositions({ ...progress, isMirrored: false })).toBeUndefined();
    expect(told()).toEqual([3n, 3n]);
  });

  test('are left to a process that lives', async () => {
    const { progress, told, start, toldOf, committed } = await stopped();
    const { pipeline } = await start({ mirror: false });
    await committed([3n, 3n]);
    expect(await mirrorPositions(progress)).toBeUndefined();
    expect(told()).toEqual([3n, 3n]);
    await pipeline.stop();
    await toldOf([3n, 3n]);
  });

  test('are not told to a group that refuses, which is said', async () => {
    const { progress, told, later, surroundings } = await stopped();
    await strangerIn(surroundings);
    // Until its last heartbeat is old, a process that stopped may be the member.
    later(60_000);
    expect(await mirrorPositions(progress)).toMatch(/^consumer group tools was not told .*\[GROUP_ACTIVE\]$/);
    expect(told()).toEqual([3n, 3n]);
  });
});
