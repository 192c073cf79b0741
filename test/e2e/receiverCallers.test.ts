import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import { kafkaService, postgresService, waitUntil } from '../services/index.ts';
import { offsetSink, pipelineWorld } from '../support/pipelineWorld.ts';
import { HandReceiver } from '../support/receiverWorld.ts';

// Not in the time of a test: starting them takes a minute on a busy machine.
beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

const [callers, each] = [10, 1_000];
const names = Array.from({ length: callers }, (_, caller) => `c${caller}`);

/** Each caller hands in its records one after the other, 50 at a time or one by one. */
test.each([
  { how: 'storeBatch' as const, name: '10 callers × 1 000 records, acknowledged' },
  { how: 'store' as const, name: '10 callers × 1 000 records, one by one' },
])('$name: 10 000 rows, each once, those of a caller in its order', async ({ how }) => {
  const world = await pipelineWorld();
  const receiver = new HandReceiver();
  const pipeline = definePipeline({
    pipeline: 'orders',
    source: { mode: 'receiver', blockIntervalMs: 50, receivers: [{ name: 'hand', createReceiver: () => receiver }] },
    wal: { dir: join(world.folder, 'wal') },
    sink: offsetSink(world),
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start();
  const context = await receiver.started;
  const call = async (caller: string) => {
    const values = Array.from({ length: each }, (_, n) => ({ value: `${caller}-${n}` }));
    if (how === 'store') for (const value of values) await context.store(value);
    else for (let at = 0; at < each; at += 50) await context.storeBatch(values.slice(at, at + 50));
  };
  await Promise.all(names.map(call));
  await pipeline.stop();
  await waitUntil('the ledger', async () => (await world.committed()) === BigInt(callers * each));
  const rows = await world.query<{ id: string; payload: string }>('SELECT id, payload FROM public.orders ORDER BY id');
  expect(rows.map(({ id }) => Number(id))).toEqual(Array.from({ length: callers * each }, (_, n) => n));
  for (const caller of names) {
    const own = rows.filter(({ payload }) => payload.startsWith(`${caller}-`)).map(({ payload }) => payload);
    expect(own).toEqual(Array.from({ length: each }, (_, n) => `${caller}-${n}`));
  }
});
