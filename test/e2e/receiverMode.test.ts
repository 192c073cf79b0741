import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../src/pipeline/index.ts';
import { waitUntil } from '../services/index.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

async function walDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-receiver-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'wal');
}

function optionsOf(world: PipelineWorld, dir: string, change: Partial<PipelineOptions> = {}): PipelineOptions {
  return {
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers] },
    source: { mode: 'receiver', topics: [world.topic], blockIntervalMs: 50 },
    wal: { dir },
    sink: offsetSink(world),
    ...change,
  };
}

const countRows = async (world: PipelineWorld) =>
  Number((await world.query<{ n: string }>('SELECT count(*) AS n FROM public.orders'))[0]?.n);

/** Spark's "Reliable Kafka input stream": 10 times a, b, c. */
const thirty = Array.from({ length: 10 }, () => ['a', 'b', 'c']).flat();

test('all 30 records are delivered, and the group is told the next offset', async () => {
  const world = await pipelineWorld();
  await world.produce(thirty);
  const pipeline = definePipeline(optionsOf(world, await walDir()));
  const blocks: bigint[] = [];
  pipeline.events.on('blockLogged', ({ untilOffset }) => blocks.push(untilOffset));
  await pipeline.start();
  await waitUntil('all rows are there', async () => (await countRows(world)) === 30);
  await pipeline.stop();
  await pipeline.finished;
  expect(await world.committed()).toBe(30n);
  expect(blocks.at(-1)).toBe(30n);
  const rows = await world.query<{ payload: string }>('SELECT payload FROM public.orders ORDER BY id');
  expect(rows.map(({ payload }) => payload)).toEqual(thirty);
  const driver = await world.kafka.newDriver();
  await driver.connect();
  const [committed] = await driver.committedOffsets('orders', [world.topic]);
  expect(committed).toMatchObject({ offset: 30n });
});

test('what lies in the topic goes through small segments, in blocks no larger than they may be', async () => {
  const world = await pipelineWorld();
  const values = Array.from({ length: 40 }, (_, at) => `${at} `.padEnd(4_000, '.'));
  for (const value of values) await world.produce([value]);
  const options = optionsOf(world, await walDir());
  const pipeline = definePipeline({
    ...options,
    source: { ...options.source, blockBytesMax: 16_384 },
    wal: { dir: options.wal?.dir ?? '', segmentBytesMax: 65_536 },
  });
  const blocks: number[] = [];
  const parked: unknown[] = [];
  pipeline.events.on('blockLogged', ({ bytes }) => blocks.push(bytes));
  pipeline.events.on('partitionParked', ({ error }) => parked.push(error));
  await pipeline.start();
  await waitUntil('all rows are there', async () => parked.length > 0 || (await countRows(world)) === values.length);
  await pipeline.stop();
  expect(parked).toEqual([]);
  expect(Math.max(...blocks)).toBeLessThanOrEqual(16_384);
  const rows = await world.query<{ payload: string }>('SELECT payload FROM public.orders ORDER BY id');
  expect(rows.map(({ payload }) => payload)).toEqual(values);
});
