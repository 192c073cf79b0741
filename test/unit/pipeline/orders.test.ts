import { expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../../src/index.ts';
import type { NewControl } from '../../../src/offsets/index.ts';
import { MemoryCluster, MemoryDatabase } from '../../../src/testkit/index.ts';
import { waitUntil } from '../../services/index.ts';

const topic = 'orders';
const of = { topic, partition: 0 };
const skip = (fromOffset: bigint, untilOffset: bigint): NewControl => ({
  ...{ ...of, order: 'skip', fromOffset, untilOffset, reason: 'poison' },
});
const pause: NewControl = { ...of, order: 'pause', fromOffset: null, untilOffset: null, reason: 'wait' };

/** One process and an operator; `produce` gives partition 0 the records r0 to r9. */
async function world(change: Partial<PipelineOptions> = {}, partitions = 1) {
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  cluster.createTopic(topic, { partitions });
  const operator = database.store(topic);
  const pipeline = definePipeline({
    pipeline: topic,
    kafka: cluster,
    transform: (record) => ({ value: record.text() }),
    sink: database,
    source: { topics: [topic], assignment: 'all' },
    batch: { lingerMs: 0 },
    ...change,
  });
  onTestFinished(() => pipeline.stop({ deadlineMs: 5_000 }).catch(() => {}));
  const produce = () =>
    cluster.produce(
      topic,
      0,
      Array.from({ length: 10 }, (_, n) => ({ value: `r${n}` })),
    );
  const committed = () => database.offsets(topic)[0]?.nextOffset;
  const values = () => database.rows.map(({ row }) => row.value as string);
  return { cluster, database, operator, pipeline, produce, committed, values };
}

const without = (from: number, until: number) =>
  Array.from({ length: 10 }, (_, n) => `r${n}`).filter((_, n) => n < from || n >= until);

test('a list of orders that was read before one was given does not take it back', async () => {
  const { database, operator, pipeline, produce, committed, values } = await world();
  await pipeline.start();
  // The list is read, its answer waits; the order takes the claim, the partition is claimed again, and obeys.
  const old = database.faults.hold('controls', {}, { at: 'answer' });
  await old.waited();
  const [late] = old.waiting;
  await operator.order([skip(4n, 6n)], 'anna');
  await old.waited(2);
  for (const held of old.waiting) if (held !== late) held.release();
  await waitUntil('the fresh claim', () => pipeline.status().partitions[0]?.state === 'running');
  late?.release();
  old.release();
  produce();
  await waitUntil('all of it', () => committed() === 10n);
  expect(values()).toEqual(without(4, 6));
});

test('a batch that was planned before an order to skip is planned again', async () => {
  const intervals = { intervalMs: 50, maxQueuedBatches: 1 };
  const { cluster, database, operator, pipeline, produce, values } = await world({ batch: intervals }, 2);
  // The first batch is in its commit, of partition 1 alone; the second one is planned behind it, of partition 0.
  const busy = database.faults.hold('commitRanges');
  cluster.produce(topic, 1, [{ value: 'first' }]);
  await pipeline.start();
  await busy.waited();
  const planning = cluster.faults.hold('bounds');
  await planning.waited();
  produce();
  planning.release();
  await operator.order([skip(4n, 6n)], 'anna');
  const claimed = () => pipeline.status().partitions.find(({ partition }) => partition === 0)?.state === 'running';
  await waitUntil('the fresh claim', () => database.offsets(topic)[0]?.claim !== null && claimed());
  busy.release();
  await waitUntil('all of it', () => values().length >= 9);
  expect(values()).toEqual(['first', ...without(4, 6)]);
});

test('an order that comes while a partition is claimed is obeyed by that claim, or ends it', async () => {
  const { database, operator, pipeline, produce, committed, values } = await world();
  produce();
  const claiming = database.faults.hold('claim', {}, { at: 'answer' });
  const started = pipeline.start();
  await claiming.waited();
  await operator.order([pause], 'anna');
  claiming.release();
  await started;
  await waitUntil('it to obey', () => pipeline.status().partitions[0]?.state === 'paused');
  expect([committed(), values()]).toEqual([0n, []]);
  await operator.withdraw((await operator.controls()).map(({ id }) => id));
  await waitUntil('all of it', () => committed() === 10n);
});

test('a range in flight when its partition is paused leaves nothing behind', async () => {
  const { database, operator, pipeline, produce, committed, values } = await world();
  const busy = database.faults.hold('commitRanges', {}, { at: 'request' });
  produce();
  await pipeline.start();
  await busy.waited();
  await operator.order([pause], 'anna');
  busy.release();
  await waitUntil('it to obey', () => pipeline.status().partitions[0]?.state === 'paused');
  expect([committed(), values()]).toEqual([0n, []]);
});
