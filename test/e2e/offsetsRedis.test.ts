import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import { kafkaService, postgresService, redisService, waitUntil } from '../services/index.ts';
import { commandHere } from '../support/commandHere.ts';
import { offsetSink, pipelineWorld } from '../support/pipelineWorld.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService(), redisService()]), 180_000);

test('every command works on a pipeline whose offsets are in Redis, while it runs', async () => {
  const world = await pipelineWorld({ partitions: 2 });
  const { url } = await redisService();
  const name = world.topic;
  const pipeline = definePipeline({
    pipeline: name,
    delivery: 'at-least-once',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic] },
    batch: { lingerMs: 0 },
    store: { type: 'redis', url },
    sink: offsetSink(world),
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  const brokers = world.brokers.join(',');
  const offsets = async (command: string, ...args: readonly string[]) => {
    const place = ['--store', url, '--pipeline', name, '--brokers', brokers, '--json'];
    const { code, stdout, stderr } = await commandHere(['offsets', command, ...place, ...args]);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const positions = async () =>
    (await offsets('describe')).partitions.map(({ storedOffset }: { storedOffset: string }) => storedOffset);
  const first = `${world.topic}:0`;

  await world.produce(['a', 'b', 'c']);
  await pipeline.start();
  await waitUntil('the first commit', async () => (await positions())[0] === '3');
  await offsets('pause', '--topic', first);
  await world.produce(['d', 'e', 'f']);
  await offsets('skip', '--topic', first, '--offset', '4', '--reason', 'poison', '--execute');
  await waitUntil('it to obey', () => pipeline.status().partitions[0]?.state === 'paused');
  expect(await positions()).toEqual(['3', '0']);
  expect((await offsets('resume')).orders).toHaveLength(1);
  await waitUntil('the rest', async () => (await positions())[0] === '6');
  expect((await offsets('reset', '--topic', first, '--shift-by', '-1', '--execute')).executed).toBe(true);
  const count = async () => (await world.query<{ n: number }>('SELECT count(*)::int AS n FROM public.orders'))[0]?.n;
  await waitUntil('the record again', async () => (await count()) === 6);
  expect(await world.query('SELECT id::int AS id FROM public.orders ORDER BY id')).toEqual(
    [0, 1, 2, 3, 5, 5].map((id) => ({ id })),
  );
  await waitUntil('its commit', async () => (await positions())[0] === '6');

  const { ranges } = await offsets('history');
  expect(ranges.map(({ kind }: { kind: string }) => kind)).toEqual(expect.arrayContaining(['batch', 'gap', 'reset']));
  expect((await offsets('verify', '--deep')).findings).toEqual([]);
  expect((await offsets('peek', '--topic', first, '--offset', '4', '-B', '1', '-A', '1')).records).toHaveLength(3);
  expect((await offsets('lag')).totalLag).toBe('0');
  const exported = await offsets('export');
  expect(exported.positions).toMatchObject([{ offset: '6' }, { offset: '0' }]);
  const file = await world.file('positions.json', JSON.stringify(exported));
  expect((await offsets('diff', '--against-file', `${world.folder}/${file}`)).partitions).toEqual([]);
  expect((await offsets('import', '--from', `${world.folder}/${file}`)).executed).toBe(false);
  await offsets('clone', '--to-pipeline', `${name}-2`, '--execute');
  const listed = await commandHere(['offsets', 'list', '--store', url, '--json']);
  expect(listed.stdout, listed.stderr).not.toBe('');
  const { progress } = JSON.parse(listed.stdout) as { progress: { name: string }[] };
  expect(progress.map((one) => one.name)).toEqual(expect.arrayContaining([name, `${name}-2`]));
  await pipeline.stop();
  expect((await offsets('delete', '--yes')).removed).toHaveLength(2);
});
