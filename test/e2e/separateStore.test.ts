import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../src/index.ts';
import { openPlace } from '../../src/offsets/stores/openPlace.ts';
import { postgres } from '../../src/sinks/postgres/index.ts';
import { postgresService, waitUntil } from '../services/index.ts';
import { startIntakeChild } from '../support/intakeChild.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

const values = (count: number) => Array.from({ length: count }, (_, n) => JSON.stringify({ n }));

function optionsOf(world: PipelineWorld, more: Partial<PipelineOptions>): PipelineOptions {
  return {
    pipeline: world.topic,
    delivery: 'at-least-once',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic] },
    sink: offsetSink(world),
    ...more,
  };
}

async function runToEnd(options: PipelineOptions): Promise<void> {
  const pipeline = definePipeline(options);
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start({ until: 'end' });
  await pipeline.finished;
}

/** How often each offset is in the table. */
async function timesWritten(world: PipelineWorld): Promise<readonly number[]> {
  const rows = await world.query<{ times: string }>(
    'SELECT count(*) AS times FROM public.orders GROUP BY id ORDER BY id',
  );
  return rows.map(({ times }) => Number(times));
}

async function hasLedger(world: PipelineWorld): Promise<boolean> {
  const [found] = await world.query<{ there: boolean }>("SELECT to_regnamespace('tidemark') IS NOT NULL AS there");
  return found?.there === true;
}

describe('offsets apart from the rows', () => {
  test('a process that is killed between output and offsets writes the range again, and loses nothing', async () => {
    const world = await pipelineWorld();
    const dir = await mkdtemp(join(tmpdir(), 'tidemark-offsets-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    await world.produce(values(30));
    const batch = { maxRecordsPerPartition: 10, lingerMs: 1 };
    const options = optionsOf(world, { store: { type: 'file', dir }, batch });
    const killed = await startIntakeChild(options, ['env', 'TIDEMARK_FAILPOINT=sink.afterCommit@2:kill']);
    expect(await killed.ended(), killed.tail()).toEqual({ signal: 'SIGKILL', code: null });
    expect(await timesWritten(world)).toEqual(Array.from({ length: 20 }, () => 1));
    const { offsets } = JSON.parse(await readFile(join(dir, `${world.topic}.json`), 'utf8'));
    expect(offsets).toMatchObject([{ topic: world.topic, partition: 0, nextOffset: '10' }]);
    await runToEnd(options);
    expect(await timesWritten(world)).toEqual(Array.from({ length: 30 }, (_, n) => (n >= 10 && n < 20 ? 2 : 1)));
    expect(await hasLedger(world)).toBe(false);
    const place = await openPlace(`file://${dir}`);
    expect(await place.pipelines()).toEqual([world.topic]);
  });

  test('a function sink commits its output alone, the ledger is in another database', async () => {
    const world = await pipelineWorld();
    const elsewhere = await (await postgresService()).createDatabase('elsewhere');
    onTestFinished(() => elsewhere.drop());
    await world.produce(values(5));
    const sink = postgres.transaction(
      async ({ records }, client) => {
        for (const { offset } of records) await client.query('INSERT INTO public.orders (id) VALUES ($1)', [offset]);
      },
      { connectionString: world.databaseUrl },
    );
    const store = { type: 'postgres', connectionString: elsewhere.url } as const;
    const options = optionsOf(world, { sink, store });
    await runToEnd(options);
    await world.produce(values(2));
    await runToEnd(options);
    expect(await timesWritten(world)).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(await hasLedger(world)).toBe(false);
    const ledger = (await openPlace(elsewhere.url)).store(world.topic);
    await ledger.open('look');
    expect(await ledger.read()).toMatchObject([{ nextOffset: 7n, claim: null }]);
    expect((await ledger.ranges({ limit: 10 })).reduce((sum, { counts }) => sum + counts.rows, 0)).toBe(7);
    await ledger.close();
  });

  test('members of a group commit the offsets that the group keeps', async () => {
    const world = await pipelineWorld({ partitions: 2 });
    await world.produce(values(5), 0);
    await world.produce(values(3), 1);
    const group = { heartbeatIntervalMs: 500 };
    const source: PipelineOptions['source'] = { topics: [world.topic], assignment: 'group', group };
    const options = optionsOf(world, { source, store: { type: 'kafka', firstStart: true } });
    const pipeline = definePipeline(options);
    onTestFinished(() => pipeline.stop().catch(() => {}));
    await pipeline.start();
    const driver = await world.kafka.newDriver();
    await driver.connect();
    const committed = () => driver.committedOffsets(world.topic, [world.topic]);
    await waitUntil('the offsets', async () => (await committed()).map(({ offset }) => offset).join() === '5,3');
    expect((await committed()).every(({ metadata }) => metadata.startsWith(`tidemark:${world.topic} {"v":1,`))).toBe(
      true,
    );
    const [first] = await committed();
    if (first === undefined) throw new Error('no offset');
    await expect(driver.commitOffsets(world.topic, [first])).rejects.toMatchObject({ code: 'GROUP_ACTIVE' });
    await pipeline.stop();
    await world.produce(values(2), 1);
    await runToEnd({ ...options, store: { type: 'kafka' } });
    expect((await committed()).map(({ offset }) => offset)).toEqual([5n, 5n]);
    expect((await world.query<{ rows: string }>('SELECT count(*) AS rows FROM public.orders'))[0]?.rows).toBe('10');
  });

  test('receiver mode keeps its positions in a file, and the open id of its log', async () => {
    const world = await pipelineWorld();
    const dir = await mkdtemp(join(tmpdir(), 'tidemark-receiver-offsets-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    await world.produce(values(3));
    const receiver: PipelineOptions['source'] = {
      mode: 'receiver',
      topics: [world.topic],
      receivers: [{ type: 'http', name: 'web', port: 0 }],
      blockIntervalMs: 20,
    };
    const store = { type: 'file', dir: join(dir, 'offsets') } as const;
    const sink = { ...offsetSink(world), columns: { id: '$partition', payload: '$value' } };
    const options = optionsOf(world, { source: receiver, wal: { dir: join(dir, 'wal') }, store, sink });
    for (const round of [1, 2]) {
      const pipeline = definePipeline(options);
      onTestFinished(() => pipeline.stop().catch(() => {}));
      const address = new Promise<string>((resolve) => {
        pipeline.events.on('receiverChanged', ({ address }) => address !== undefined && resolve(address));
      });
      await pipeline.start();
      const posted = await fetch(`http://${await address}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: '{"n":1}\n{"n":2}\n',
      });
      expect(posted.status).toBe(200);
      const rows = 3 + 2 * round;
      const count = 'SELECT count(*) AS rows FROM public.orders';
      await waitUntil('the rows', async () => Number((await world.query<{ rows: string }>(count))[0]?.rows) >= rows);
      await pipeline.stop();
      expect((await world.query<{ rows: string }>(count))[0]?.rows).toBe(String(rows));
    }
    const { offsets } = JSON.parse(await readFile(join(store.dir, `${world.topic}.json`), 'utf8'));
    const positions = (offsets as { topic: string; nextOffset: string }[]).map((row) => [
      row.topic.split('@')[0],
      row.nextOffset,
    ]);
    expect(positions.sort()).toEqual(
      [
        ['receiver:web', '4'],
        [world.topic, '3'],
      ].sort(),
    );
  });
});
