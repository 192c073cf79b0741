import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../src/index.ts';
import { type MembershipWay, needsWay } from '../group/memberships.ts';
import { kafkaService, postgresService, waitUntil } from '../services/index.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';
import { HandReceiver, texts } from '../support/receiverWorld.ts';

// Not in the time of a test: starting them takes a minute on a busy machine.
beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

/** A process of its own log, with a receiver of its own, in the group of the pipeline. */
async function start(world: PipelineWorld, name: string, driver: MembershipWay['driver']) {
  const receiver = new HandReceiver();
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers], driver },
    source: {
      mode: 'receiver',
      topics: [world.topic],
      assignment: 'group',
      groupId: `${world.topic}-group`,
      blockIntervalMs: 50,
      receivers: [{ name: 'hand', createReceiver: () => receiver }],
    },
    wal: { dir: join(world.folder, name) },
    sink: offsetSink(world),
  } as PipelineOptions);
  onTestFinished(() => pipeline.stop().catch(() => {}));
  const committed = new Set<number>();
  pipeline.events.on('rangeCommitted', ({ range }) => {
    if (range.topic === world.topic) committed.add(range.partition);
  });
  await pipeline.start();
  return { pipeline, receiver, committed };
}

const moving = 'partitions move between processes of a group (%s), receivers stay; every record is in the table once';

test.for(['kafkajs', 'confluent'] as const)(moving, { timeout: 180_000 }, async (driver, context) => {
  needsWay(context, { driver, protocol: 'eager' });
  const world = await pipelineWorld({ partitions: 2 });
  const sent: string[] = [];
  const produceBoth = async (round: string) => {
    for (const partition of [0, 1]) {
      const values = texts(20, `${round}-p${partition}-`);
      sent.push(...values);
      await world.produce(values, partition);
    }
  };
  const rows = async () =>
    (await world.query<{ payload: string }>('SELECT payload FROM public.orders')).map(({ payload }) => payload);
  const settled = () => waitUntil('all rows', async () => (await rows()).length >= sent.length);
  const a = await start(world, 'a', driver);
  await produceBoth('one');
  await settled();
  expect([...a.committed].toSorted()).toEqual([0, 1]);
  const b = await start(world, 'b', driver);
  const [handA, handB] = await Promise.all([a.receiver.started, b.receiver.started]);
  await waitUntil('B to have its share', async () => {
    await produceBoth(`share${sent.length}`);
    return b.committed.size > 0;
  });
  sent.push('from a', 'from b');
  await Promise.all([handA.storeBatch([{ value: 'from a' }]), handB.storeBatch([{ value: 'from b' }])]);
  await settled();
  await a.pipeline.stop();
  await produceBoth('last');
  await settled();
  await b.pipeline.stop();
  expect((await rows()).toSorted()).toEqual(sent.toSorted());
});
