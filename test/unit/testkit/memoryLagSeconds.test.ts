import { describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../../src/index.ts';
import { MemoryCluster, MemoryDatabase } from '../../../src/testkit/index.ts';
import { waitUntil } from '../../services/index.ts';
import { WalDisk } from '../../support/walDisk.ts';

const topic = 'orders';
/** The whole test takes less. */
const toleranceSeconds = 25;

/** A running pipeline; `produce` writes three records that are 90, 60 and 30 seconds old. */
async function running(options: Pick<PipelineOptions, 'source' | 'batch' | 'wal'>) {
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  cluster.createTopic(topic);
  const produce = () =>
    cluster.produce(
      topic,
      0,
      [90, 60, 30].map((age) => ({ value: 'x', timestamp: Date.now() - age * 1000 })),
    );
  const pipeline = definePipeline(
    { pipeline: 'p', kafka: cluster, sink: database, ...options },
    { files: new WalDisk() },
  );
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start();
  const known = () => pipeline.status().partitions[0];
  const lag = (offsets: bigint) => waitUntil(`a lag of ${offsets}`, () => known()?.lag === offsets);
  const expectAge = (seconds: number) => {
    const found = known()?.lagSeconds;
    expect(found).toBeGreaterThanOrEqual(seconds);
    expect(found).toBeLessThan(seconds + toleranceSeconds);
  };
  return { database, pipeline, produce, known, lag, expectAge };
}

describe.each<[mode: string, options: Pick<PipelineOptions, 'source' | 'batch' | 'wal'>]>([
  ['direct', { source: { topics: [topic] }, batch: { lingerMs: 0 } }],
  ['receiver', { source: { mode: 'receiver', topics: [topic], blockIntervalMs: 10 }, wal: { dir: '/wal' } }],
])('%s mode: the status knows how old the first record is that is not committed', (_, options) => {
  test('while it is on its way into the sink, and 0 when everything is there', async () => {
    const { database, produce, known, lag, expectAge } = await running(options);
    const held = database.faults.hold('commitRanges');
    produce();
    await held.waited();
    await lag(3n);
    expectAge(90);
    held.release();
    await lag(0n);
    expect(known()?.lagSeconds).toBe(0);
  });

  test('while the partition is paused, and what waits is committed whole afterwards', async () => {
    const { database, produce, known, lag, expectAge } = await running(options);
    produce();
    await waitUntil('what is there', () => database.rows.length === 3);
    const store = database.store('p');
    await store.open();
    onTestFinished(() => store.close());
    const range = { fromOffset: null, untilOffset: null };
    const [pause] = await store.order([{ topic, partition: 0, order: 'pause', ...range, reason: 'look' }], 'eva');
    await waitUntil('the pause', () => known()?.state === 'paused');
    produce();
    await lag(3n);
    await waitUntil('the age to be known', () => known()?.lagSeconds !== undefined);
    expectAge(90);
    await store.withdraw([pause?.id ?? 0n]);
    await lag(0n);
    expect(database.rows).toHaveLength(6);
  });
});

test('a record without a timestamp has no age', async () => {
  const cluster = new MemoryCluster();
  const database = new MemoryDatabase();
  cluster.createTopic(topic);
  cluster.produce(topic, 0, [{ value: 'x', timestamp: -1 }]);
  const held = database.faults.hold('commitRanges');
  const pipeline = definePipeline({ pipeline: 'p', kafka: cluster, sink: database, source: { topics: [topic] } });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start();
  await held.waited();
  expect(pipeline.status().partitions).toMatchObject([{ lag: 1n, lagSeconds: undefined }]);
  held.release();
});
