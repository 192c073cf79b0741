import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import { kafkaService, postgresService, redisService } from '../services/index.ts';
import { commandHere } from '../support/commandHere.ts';
import { type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';
import { RedisPlaces } from '../support/redisPlaces.ts';
import { begin, claimAll, commitOf, openAs, orders } from '../support/redisScene.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

const columns = { part: '$partition', place: '$offset', payload: '$value' };

/** Commits what the topic has; rows say which record they are of. */
async function runToTheEnd(world: PipelineWorld): Promise<void> {
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic] },
    sink: { type: 'postgres', connectionString: world.databaseUrl, table: 'public.orders', columns },
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start({ until: 'end' });
  await pipeline.finished;
}

async function committedWorld(counts: readonly number[]): Promise<PipelineWorld> {
  const world = await pipelineWorld({ partitions: counts.length, columns: 'part integer, place bigint, payload text' });
  await Promise.all(
    counts.map((count, partition) => (count === 0 ? undefined : world.produce(texts(count), partition))),
  );
  await runToTheEnd(world);
  await world.config({
    sink: { type: 'postgres', connectionString: '$' + '{DATABASE_URL}', table: 'public.orders', columns },
  });
  return world;
}

const texts = (count: number) => Array.from({ length: count }, (_, id) => `text ${id}`);

/** `tidemark offsets verify --json` on the file of a world. */
async function verified(world: PipelineWorld, ...args: readonly string[]) {
  const { code, stdout, stderr } = await commandHere(
    ['offsets', 'verify', '--json', ...args, join(world.folder, 'orders.yaml')],
    { environment: world.environment },
  );
  expect(stderr).toBe('');
  const answer = JSON.parse(stdout) as {
    readonly ok: boolean;
    readonly partitions: readonly Record<string, unknown>[];
    readonly findings: readonly { readonly rule: string; readonly partition: number; readonly text: string }[];
  };
  return { code, ...answer, rules: answer.findings.map(({ rule, partition }) => `${partition}: ${rule}`) };
}

test('a ledger that is whole is proven, and agrees with the topic and with the rows', async () => {
  const world = await committedWorld([30, 20, 0]);
  const file = join(world.folder, 'orders.yaml');
  const plain = await commandHere(['offsets', 'verify', file], { environment: world.environment });
  expect([plain.code, plain.stderr]).toEqual([0, '']);
  expect(plain.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    [
      ...['TOPIC'.padEnd(world.topic.length)],
      'PARTITION',
      'RANGES',
      'RECORDS',
      'PRODUCED',
      'DROPPED',
      'SKIPPED',
      'DEAD',
      'GAPS',
      'GAP-OFFSETS',
      'RESETS',
      'VERDICT',
    ].map((name) => name.trim()),
    [world.topic, '0', '2', '30', '30', '0', '0', '0', '0', '0', '0', 'whole'],
    [world.topic, '1', '2', '20', '20', '0', '0', '0', '0', '0', '0', 'whole'],
    [world.topic, '2', '1', '0', '0', '0', '0', '0', '0', '0', '0', 'whole'],
    [''],
  ]);
  const deep = await verified(world, '--deep');
  expect(deep).toMatchObject({ code: 0, ok: true, findings: [] });
  expect(deep.partitions).toMatchObject([
    { partition: 0, log: { fromOffset: '0', untilOffset: '30', ranges: 1, records: 30 }, rowsOfTarget: { rows: 30 } },
    { partition: 1, storedOffset: '20', records: 20, verdict: 'whole', rowsOfTarget: { rows: 20 } },
    { partition: 2, ranges: 1, log: { ranges: 0, records: 0 }, rowsOfTarget: { rows: 0 } },
  ]);

  // What expired since is said, and is no finding.
  await world.kafka.deleteRecords(world.topic, 0, 10n);
  const expired = await verified(world, '--deep', '--topic', `${world.topic}:0`);
  expect(expired).toMatchObject({ code: 0, partitions: [{ log: { fromOffset: '10', records: 20, shrunkRanges: 1 } }] });
});

test('rows that the ledger did not count, and counts that the topic contradicts, are found and named', async () => {
  const world = await committedWorld([30, 20, 5]);
  await world.query('DELETE FROM public.orders WHERE part = 0 AND place = 7');
  await world.query("INSERT INTO public.orders VALUES (1, 3, 'again'), (1, 20, 'from nowhere'), (9, 0, 'lost')");
  const found = await verified(world, '--deep');
  expect(found).toMatchObject({ code: 5, ok: false });
  expect(found.rules).toEqual(['0: rows', '1: rows', '1: foreign rows', '9: foreign rows']);
  expect(found.findings.map(({ text }) => text)).toEqual([
    `${world.topic}-0 seq 2, offsets 0 to 30, counts 30 rows of 30 records, public.orders has 29 of 29`,
    `${world.topic}-1 seq 2, offsets 0 to 20, counts 20 rows of 20 records, public.orders has 21 of 20`,
    `${world.topic}-1 offsets 20 to 21: public.orders has rows behind the position 20`,
    `${world.topic}-9 offsets 0 to 1: public.orders has 1 rows of a partition that the ledger does not know`,
  ]);
  expect((await verified(world, '--deep', '--topic', `${world.topic}:2`)).code).toBe(0);

  await world.query('TRUNCATE public.orders');
  await world.query('UPDATE tidemark.ranges SET records = 4, produced = 4, rows = 4 WHERE partition = 2 AND seq = 2');
  expect((await verified(world)).code).toBe(0);
  const counted = await verified(world, '--deep', '--topic', `${world.topic}:2`);
  expect(counted.rules).toEqual(['2: records', '2: rows']);
  expect(counted.findings[0]?.text).toBe(`${world.topic}-2 seq 2, offsets 0 to 5, counts 4 records, the log has 5`);
});

test('a ledger that somebody worked over by hand is found out, for people too', async () => {
  const world = await committedWorld([10, 10, 10]);
  await world.query('UPDATE tidemark.offsets SET next_offset = 8 WHERE partition = 0');
  await world.query('DELETE FROM tidemark.ranges WHERE partition = 1 AND seq = 2');
  await world.query('DELETE FROM tidemark.offsets WHERE partition = 2');
  const found = await commandHere(['offsets', 'verify', '--store', world.databaseUrl, '--pipeline', 'orders']);
  expect(found.code).toBe(5);
  expect(found.stdout.split('\n').filter((line) => line.startsWith('WRONG'))).toEqual([
    `WRONG: The row of ${world.topic}-0 stands at 8, its history ends at 10 (seq 2)`,
    `WRONG: The row of ${world.topic}-1 stands at 10, its history ends at 0 (seq 1)`,
    `WRONG: ${world.topic}-2 seq 2, offsets 0 to 10, is the end of the history, and no row stands there: nobody ordered its removal`,
  ]);
  expect(found.stdout).toMatch(/ broken\n/);
});

test('a partition that was reset is processed twice, and its rows are as many as that', async () => {
  const world = await committedWorld([10]);
  const place = ['--store', world.databaseUrl, '--pipeline', 'orders', '--brokers', world.brokers.join(',')];
  const reset = ['offsets', 'reset', ...place, '--topic', `${world.topic}:0`, '--to-offset', '4', '--execute'];
  expect((await commandHere(reset)).code).toBe(0);
  await runToTheEnd(world);
  const found = await verified(world, '--deep');
  expect(found).toMatchObject({
    code: 0,
    partitions: [
      {
        ...{ resets: 1, records: 16, log: { fromOffset: '4', untilOffset: '10', records: 6 } },
        rowsOfTarget: { rows: 16, reason: expect.stringContaining('it was reset') },
      },
    ],
  });
  await world.query('DELETE FROM public.orders WHERE ctid IN (SELECT ctid FROM public.orders LIMIT 1)');
  expect(await verified(world, '--deep')).toMatchObject({ code: 5, rules: ['0: rows'] });
});

test('a ledger in Redis is proven as well, beside the one who works on it', async () => {
  const { url } = await redisService();
  const places = new RedisPlaces(url);
  onTestFinished(() => places.close());
  const pipeline = places.newPipeline();
  const store = places.newStore({ pipeline });
  await openAs(store, 'worker');
  await begin(store, 0n, 7n);
  const [held] = await claimAll(store);
  await store.commitRanges([commitOf(held, 0n, 5n)]);
  const [row] = await store.read();
  await store.move([{ ...orders, kind: 'reset', toOffset: 2n, topicId: 'id', reason: 'again', seen: row }], 'anna');
  const verify = () => commandHere(['offsets', 'verify', '--store', url, '--pipeline', pipeline]);
  const found = await verify();
  expect([found.code, found.stderr]).toEqual([0, '']);
  expect(found.stdout).toMatch(/orders +0 +3 +5 +5 .* 1 +whole\n/);
  const [, second] = await store.read();
  await store.remove(second === undefined ? [] : [second], 'anna', 'not needed');
  expect((await verify()).code).toBe(0);
});

test('a store that keeps no history is named, and what cannot be looked at is a usage error', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-verify-'));
  for (const command of ['verify', 'history']) {
    const none = await commandHere(['offsets', command, '--store', `file://${folder}`, '--pipeline', 'orders']);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('[STORE_INCAPABLE]');
    expect(none.stderr).toContain(folder);
  }
  const world = await committedWorld([1]);
  const store = ['--store', world.databaseUrl, '--pipeline', 'orders'];
  const deep = await commandHere(['offsets', 'verify', ...store, '--deep']);
  expect([deep.code, deep.stderr]).toEqual([2, expect.stringContaining('needs the brokers')]);
  const brokers = ['--brokers', world.brokers.join(',')];
  const noFile = await commandHere(['offsets', 'verify', ...store, ...brokers, '--deep']);
  expect([noFile.code, noFile.stdout]).toEqual([0, expect.stringMatching(/\nnote: rows are not compared: .*FILE/)]);
  const topic = await commandHere(['offsets', 'verify', ...store, '--topic', 'nope']);
  expect([topic.code, topic.stderr]).toEqual([2, expect.stringContaining('has no topic nope')]);
  const pipeline = await commandHere(['offsets', 'verify', '--store', world.databaseUrl, '--pipeline', 'nope']);
  expect([pipeline.code, pipeline.stderr]).toEqual([2, expect.stringContaining('nope has neither positions nor')]);
});
