import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../src/index.ts';
import { kafkaService, postgresService, waitUntil } from '../services/index.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';
import { HandReceiver, logged, produce, receiverWorld, texts, topic } from '../support/receiverWorld.ts';

// Not in the time of a test: starting them takes a minute on a busy machine.
beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

const order = { topic, partition: 0, reason: 'by order', orderedBy: 'someone' } as const;

test('a pause keeps blocks waiting up to the limit, and its end commits them', async () => {
  const world = receiverWorld();
  const process = await world.start({ source: { blocksWaitingMax: 3 } });
  const resume = world.database.order(topic, { ...order, order: 'pause', fromOffset: null, untilOffset: null });
  await waitUntil('the pause', () => process.heard.partitionPaused.length === 1);
  for (let n = 0; n < 3; n += 1) {
    produce(world.cluster, [`r${n}`]);
    await waitUntil('a durable block', () => logged(process) === BigInt(n + 1));
  }
  produce(world.cluster, ['r3']);
  expect(world.values()).toEqual([]);
  resume();
  await waitUntil('all of it', () => world.nextOffset(topic) === 4n);
  expect(world.values()).toEqual(texts(4));
  expect(process.heard.blockLogged.length).toBe(4);
  expect(process.heard.blocksDiscarded).toEqual([]);
});

test('a skip passes over offsets in the middle of blocks that wait: what is around them is committed', async () => {
  const world = receiverWorld();
  const { cluster, database } = world;
  const pause = database.order(topic, { ...order, order: 'pause', fromOffset: null, untilOffset: null });
  const process = await world.start({ source: { blockIntervalMs: 100 } });
  await waitUntil('the pause', () => process.heard.partitionPaused.length === 1);
  cluster.produce(
    topic,
    0,
    texts(10).map((value) => ({ value })),
  );
  await waitUntil('the block', () => logged(process) === 10n);
  database.order(topic, { ...order, order: 'skip', fromOffset: 3n, untilOffset: 6n });
  pause();
  await waitUntil('all of it', () => world.nextOffset(topic) === 10n);
  expect(world.values()).toEqual(texts(10).filter((_, n) => n < 3 || n >= 6));
  expect(process.heard.gapCommitted.map(({ range }) => [range.fromOffset, range.untilOffset])).toEqual([[3n, 6n]]);
  await process.pipeline.stop();
  expect(process.heard.intakeClosed[0]?.waiting).toEqual([]);
});

test('a skip of records of a receiver passes over them, whether they wait or come later', async () => {
  const world = receiverWorld();
  const { database } = world;
  const receiver = new HandReceiver();
  const process = await world.start({
    kafka: undefined,
    source: { topics: undefined, receivers: [{ name: 'hand', createReceiver: () => receiver }] },
  });
  const of = process.pipeline.status().partitions[0]?.topic ?? '';
  const pause = database.order(topic, { ...order, topic: of, order: 'pause', fromOffset: null, untilOffset: null });
  await waitUntil('the pause', () => process.heard.partitionPaused.length === 1);
  const context = await receiver.started;
  await context.storeBatch(texts(4).map((value) => ({ value })));
  database.order(topic, { ...order, topic: of, order: 'skip', fromOffset: 2n, untilOffset: 6n });
  pause();
  await waitUntil('the first gap', () => world.nextOffset(of) === 4n);
  await context.storeBatch(['r4', 'r5', 'r6', 'r7'].map((value) => ({ value })));
  await waitUntil('the rest', () => world.nextOffset(of) === 8n);
  expect(world.values(of)).toEqual(['r0', 'r1', 'r6', 'r7']);
  await process.pipeline.stop();
  expect(process.heard.intakeClosed[0]?.waiting).toEqual([]);
});

// A real ledger from here on: a reset as a command does it, in one transaction. The claim goes, the epoch rises, history begins anew.
const resetTo = (world: PipelineWorld, of: string, offset: number) =>
  world.query(`BEGIN;
    UPDATE tidemark.offsets SET next_offset = ${offset}, claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1,
           leader_epoch = -1, incarnation = incarnation + 1 WHERE topic = '${of}';
    INSERT INTO tidemark.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, owner_epoch,
                                 batch_time, kind, reason)
    SELECT pipeline, topic, partition, (SELECT max(seq) + 1 FROM tidemark.ranges WHERE topic = '${of}'), incarnation,
           next_offset, next_offset, owner_epoch, clock_timestamp(), 'reset', 'by order'
      FROM tidemark.offsets WHERE topic = '${of}';
    COMMIT`);

const pauseAll = (world: PipelineWorld) =>
  world.query(
    `INSERT INTO tidemark.controls (pipeline, "order", reason, ordered_by) VALUES ('orders', 'pause', 'wait', 'someone')`,
  );
const resumeAll = (world: PipelineWorld) => world.query('DELETE FROM tidemark.controls');

const valuesOf = async (world: PipelineWorld) =>
  (await world.query<{ payload: string }>('SELECT payload FROM public.orders ORDER BY n')).map(
    ({ payload }) => payload,
  );

async function startOn(world: PipelineWorld, source: Record<string, unknown>) {
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: 'receivers' in source ? undefined : { brokers: [...world.brokers] },
    source: { mode: 'receiver', blockIntervalMs: 50, ...source },
    wal: { dir: join(world.folder, 'wal') },
    sink: offsetSink(world),
  } as PipelineOptions);
  onTestFinished(() => pipeline.stop().catch(() => {}));
  let durable = 0n;
  let [paused, claimed, discarded] = [0, 0, 0];
  pipeline.events.on('blockLogged', ({ untilOffset }) => {
    durable = untilOffset;
  });
  pipeline.events.on('partitionPaused', () => {
    paused += 1;
  });
  pipeline.events.on('partitionClaimed', () => {
    claimed += 1;
  });
  pipeline.events.on('blocksDiscarded', ({ records }) => {
    discarded += records;
  });
  await pipeline.start();
  return { pipeline, facts: () => ({ durable, paused, claimed, discarded }) };
}

const columns = 'n bigserial, id bigint, payload text';

test.each([
  { to: 6, discarded: 6, name: 'forward: what lies below is dropped' },
  // The first block too: its end is above the position again, and it carries another claim.
  { to: 2, discarded: 10, name: 'back: what was committed is read from the topic again, before what waits above it' },
])('a reset while blocks wait, $name', async ({ to, discarded }) => {
  const world = await pipelineWorld({ columns });
  await world.produce(texts(4, 'a'));
  const { pipeline, facts } = await startOn(world, { topics: [world.topic] });
  await waitUntil('the first records', async () => (await world.committed()) === 4n);
  await pauseAll(world);
  await waitUntil('the pause', () => facts().paused === 1);
  await world.produce(texts(6, 'b'));
  await waitUntil('a durable block', () => facts().durable === 10n);
  await resetTo(world, world.topic, to);
  await waitUntil('the partition to be claimed again', () => facts().claimed === 2);
  await waitUntil('the blocks to be discarded', () => facts().discarded >= discarded);
  await resumeAll(world);
  await waitUntil('all of it', async () => (await world.committed()) === 10n);
  const all = [...texts(4, 'a'), ...texts(6, 'b')];
  expect(await valuesOf(world)).toEqual([...texts(4, 'a'), ...all.slice(to)]);
  expect(facts().discarded).toBe(discarded);
  await pipeline.stop();
});

test('a reset of a receiver while its blocks wait: those below are dropped, the others come from the log', async () => {
  const world = await pipelineWorld({ columns });
  const receiver = new HandReceiver();
  const { pipeline, facts } = await startOn(world, { receivers: [{ name: 'hand', createReceiver: () => receiver }] });
  const of = pipeline.status().partitions[0]?.topic ?? '';
  const context = await receiver.started;
  await pauseAll(world);
  await waitUntil('the pause', () => facts().paused === 1);
  for (const value of texts(5)) await context.storeBatch([{ value }]);
  await resetTo(world, of, 3);
  await waitUntil('the partition to be claimed again', () => facts().claimed === 2);
  await resumeAll(world);
  await waitUntil('what is above', async () => (await world.committed()) === 5n);
  await resetTo(world, of, 1);
  await waitUntil('those that were committed, and one that was not', async () => (await valuesOf(world)).length === 6);
  await context.storeBatch([{ value: 'r5' }]);
  await waitUntil('what comes later', async () => (await world.committed()) === 6n);
  expect(await valuesOf(world)).toEqual(['r3', 'r4', 'r1', 'r2', 'r3', 'r4', 'r5']);
  expect(facts().discarded).toBe(0);
  await pipeline.stop();
});
