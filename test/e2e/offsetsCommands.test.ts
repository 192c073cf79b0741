import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import { createDriver } from '../../src/kafka/index.ts';
import { kafkaService, postgresService, waitUntil } from '../services/index.ts';
import { freePort } from '../services/ports.ts';
import { commandHere } from '../support/commandHere.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

/** Everything committed, nothing running. */
async function committedWorld(values: readonly (readonly string[])[]): Promise<PipelineWorld> {
  const world = await pipelineWorld({ partitions: values.length });
  await Promise.all(values.map((some, partition) => (some.length === 0 ? undefined : world.produce(some, partition))));
  const pipeline = pipelineOf(world);
  await pipeline.start({ until: 'end' });
  await pipeline.finished;
  return world;
}

function pipelineOf(world: PipelineWorld) {
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic] },
    batch: { lingerMs: 0 },
    sink: { ...offsetSink(world), columns: { id: '$value.id', payload: '$value' } },
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  return pipeline;
}

const texts = (count: number) => Array.from({ length: count }, (_, id) => JSON.stringify({ id }));

/** `tidemark offsets …` on the ledger of a world, by its URL. */
function offsets(world: PipelineWorld, command: string, ...args: readonly string[]) {
  const place = ['--store', world.databaseUrl, '--pipeline', 'orders', '--brokers', world.brokers.join(',')];
  return commandHere(['offsets', command, ...place, ...args], { environment: { TIDEMARK_OPERATOR: 'anna' } });
}

describe('offsets reset', () => {
  test('shows the plan and changes nothing, then applies it and says who and why', async () => {
    const world = await committedWorld([texts(10), texts(4)]);
    const args = ['--topic', `${world.topic}:0`, '--to-offset', '3'];
    const shown = await offsets(world, 'reset', ...args);
    expect(shown.code).toBe(0);
    expect(shown.stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['TOPIC', 'PARTITION', 'BEFORE', 'AFTER', 'RE-READ', 'PASSED', 'OWNER'],
      [world.topic, '0', '10', '3', '7', '0', '-'],
      [''],
    ]);
    expect(shown.stderr).toContain('nothing was changed');
    expect(await world.committed(0)).toBe(10n);
    const backup = join(world.folder, 'before.json');
    const done = await offsets(
      world,
      'reset',
      ...args,
      '--execute',
      '--json',
      '--reason',
      'a bad day',
      '--backup',
      backup,
    );
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(done.stdout)).toEqual({
      pipeline: 'orders',
      executed: true,
      moves: [{ topic: world.topic, partition: 0, before: '10', after: '3', rereadOffsets: '7', passedOffsets: '0' }],
      warnings: [],
    });
    expect([await world.committed(0), await world.committed(1)]).toEqual([3n, 4n]);
    const before = JSON.parse(await readFile(backup, 'utf8')) as { positions: { partition: number; offset: string }[] };
    expect(before.positions.map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, '10'],
      [1, '4'],
    ]);
    const [newest] = await world.query<{ kind: string; owner: string; reason: string }>(
      'SELECT kind, owner, reason FROM tidemark.ranges WHERE partition = 0 ORDER BY seq DESC LIMIT 1',
    );
    expect(newest).toEqual({ kind: 'reset', owner: 'anna', reason: 'reset to offset 3: a bad day, from 10' });
    const again = pipelineOf(world);
    await again.start({ until: 'end' });
    await again.finished;
    expect(await world.query('SELECT count(*)::int AS n FROM public.orders')).toEqual([{ n: 21 }]);
  });

  test.each([
    [['--to-earliest'], '0', '0'],
    [['--to-latest'], '10', '4'],
    [['--shift-by', '-4'], '6', '0'],
    [['--to-offset', '7'], '7', '4'],
    [['--to-datetime', '2001-01-01'], '0', '0'],
    [['--by-duration', '1h'], '0', '0'],
    [['--to-datetime', '2999-01-01T00:00:00Z'], '10', '4'],
  ] as const)('%j goes to %s and %s, within the log', async (target, first, second) => {
    const world = await committedWorld([texts(10), texts(4)]);
    const { stdout, code } = await offsets(world, 'reset', ...target, '--json', '--execute');
    expect(code).toBe(0);
    const { moves } = JSON.parse(stdout) as { moves: { after: string }[] };
    expect(moves.map(({ after }) => after)).toEqual([first, second]);
    expect([String(await world.committed(0)), String(await world.committed(1))]).toEqual([first, second]);
  });

  test('says where a target lies outside of the log, and takes its end', async () => {
    const world = await committedWorld([texts(3)]);
    const { stderr, stdout } = await offsets(world, 'reset', '--shift-by', '-100');
    expect(stderr).toContain(`${world.topic}-0: -97 is before the log start, 0 is taken`);
    expect(stdout).toMatch(/ 3 +0 +3 +0 /);
  });

  test('of what lags alone leaves the rest', async () => {
    const world = await committedWorld([texts(3), texts(2)]);
    await world.produce(texts(4), 1);
    const { stdout } = await offsets(world, 'reset', '--only-lagging', '--to-latest', '--execute', '--json');
    const { moves } = JSON.parse(stdout) as { moves: { partition: number; before: string; after: string }[] };
    expect(moves).toMatchObject([{ partition: 1, before: '2', after: '6' }]);
  });

  test('to a group takes what it committed, and leaves the rest', async () => {
    const world = await committedWorld([texts(10), texts(4)]);
    const driver = await createDriver({ brokers: [...world.brokers] });
    await driver.connect();
    await driver.commitOffsets(`${world.topic}-g`, [{ topic: world.topic, partition: 0, offset: 6n, metadata: '' }]);
    await driver.close();
    const { stdout, stderr, code } = await offsets(
      world,
      'reset',
      '--to-group',
      `${world.topic}-g`,
      '--execute',
      '--json',
    );
    expect([code, stderr]).toEqual([0, '']);
    const { warnings } = JSON.parse(stdout) as { warnings: string[] };
    expect(warnings).toEqual([`${world.topic}-1: nothing says where to, it stays as it is`]);
    expect([await world.committed(0), await world.committed(1)]).toEqual([6n, 4n]);
  });
});

describe('offsets skip', () => {
  test('passes over the record that parked a partition, and the running process goes on behind it', async () => {
    // Were all partitions parked, the process would end.
    const world = await pipelineWorld({ partitions: 2 });
    await world.produce([...texts(3), 'no JSON', ...texts(2)]);
    const pipeline = pipelineOf(world);
    await pipeline.start();
    await waitUntil('it to park', () => pipeline.status().partitions[0]?.state === 'parked');
    const place = ['--topic', `${world.topic}:0`];
    const plan = await offsets(world, 'skip', ...place);
    expect(plan.stdout.split('\n')[1]?.trim().split(/ +/)).toEqual([world.topic, '0', '3', '3', '4', '1']);
    expect(plan.stderr).toContain('nothing was changed');
    expect(await offsets(world, 'skip', ...place, '--execute')).toMatchObject({ code: 2 });
    const done = await offsets(world, 'skip', ...place, '--execute', '--reason', 'no JSON');
    expect(done).toMatchObject({ code: 0, stderr: 'tidemark: skipped\n' });
    await waitUntil('the rest', async () => (await world.committed()) === 6n);
    expect(await world.query('SELECT id::int FROM public.orders ORDER BY ctid')).toEqual(
      [0, 1, 2, 0, 1].map((id) => ({ id })),
    );
    const gaps = await world.query(
      "SELECT from_offset::int AS at, until_offset::int AS until, owner, reason FROM tidemark.ranges WHERE kind = 'gap'",
    );
    expect(gaps).toEqual([{ at: 3, until: 4, owner: 'anna', reason: 'skip: no JSON' }]);
  });

  test('of what lies ahead waits, also over a start, and is over then: a reset reads the record again', async () => {
    const world = await committedWorld([texts(3)]);
    await offsets(world, 'pause');
    await world.produce(texts(6));
    const place = ['--topic', `${world.topic}:0`, '--execute', '--reason', 'not these'];
    const ordered = await offsets(world, 'skip', ...place, '--offset', '5', '--until', '7');
    expect(ordered.stderr).toBe('tidemark: ordered: it is passed over when the pipeline comes there\n');
    await offsets(world, 'resume');
    const pipeline = pipelineOf(world);
    await pipeline.start();
    await waitUntil('all of it', async () => (await world.committed()) === 9n);
    expect(await world.query('SELECT count(*)::int AS n FROM public.orders')).toEqual([{ n: 7 }]);
    expect(await world.query('SELECT * FROM tidemark.controls')).toEqual([]);
    await offsets(world, 'reset', '--to-offset', '5', '--execute');
    await waitUntil('the rows again', async () => {
      const [row] = await world.query<{ n: number }>('SELECT count(*)::int AS n FROM public.orders');
      return row?.n === 11;
    });
  });

  test.each([
    [['--offset', '1'], 'offset 1 is committed already, the position is 2'],
    [['--offset', '9'], 'the log has offsets 0 to 4, the end not included'],
    [['--offset', '3', '--until', '3'], 'the log has offsets 0 to 4'],
    [['--offset', '3', '--until', '99'], 'the log has offsets 0 to 4'],
  ])('of %j is refused', async (args, why) => {
    const world = await committedWorld([texts(2)]);
    await world.produce(texts(2));
    const place = ['--topic', `${world.topic}:0`, '--execute', '--reason', 'r'];
    const { code, stderr } = await offsets(world, 'skip', ...place, ...args);
    expect(stderr).toContain(why);
    expect(code).toBe(2);
    expect(await world.query('SELECT * FROM tidemark.controls')).toEqual([]);
  });
});

describe('offsets pause and resume', () => {
  test('hold and go on, of partitions, topics and all; a wider pause is not ended by less', async () => {
    const world = await committedWorld([texts(2), texts(2)]);
    const one = await offsets(world, 'pause', '--topic', `${world.topic}:1`, '--reason', 'look at it', '--json');
    const { orders } = JSON.parse(one.stdout) as { orders: Record<string, unknown>[] };
    expect(orders).toMatchObject([
      { order: 'pause', topic: world.topic, partition: 1, reason: 'look at it', orderedBy: 'anna' },
    ]);
    const twice = await offsets(world, 'pause', '--topic', `${world.topic}:1`, '--json');
    expect(JSON.parse(twice.stdout)).toEqual(JSON.parse(one.stdout));
    await offsets(world, 'pause', '--topic', world.topic);
    const less = await offsets(world, 'resume', '--topic', `${world.topic}:0`);
    expect(less.code).toBe(2);
    expect(less.stderr).toContain(`A pause of topic ${world.topic} holds more than was chosen`);
    const all = await offsets(world, 'resume');
    expect(all.stderr).toBe('tidemark: 2 pauses ended\n');
    expect(await world.query('SELECT * FROM tidemark.controls')).toEqual([]);
  });

  test('resume has a parked partition tried again by the process that runs', async () => {
    const world = await pipelineWorld({ partitions: 2 });
    await world.query('ALTER TABLE public.orders ADD CONSTRAINT small CHECK (id < 2)');
    await world.produce(texts(4));
    const pipeline = pipelineOf(world);
    await pipeline.start();
    await waitUntil('it to park', () => pipeline.status().partitions[0]?.state === 'parked');
    await world.query('ALTER TABLE public.orders DROP CONSTRAINT small');
    const { stderr } = await offsets(world, 'resume');
    expect(stderr).toBe(`tidemark: 0 pauses ended; tried again: ${world.topic}-0\n`);
    await waitUntil('the rest', async () => (await world.committed()) === 4n);
  });
});

describe('offsets delete', () => {
  test('needs the name or --yes, is refused while a process works, and keeps the history', async () => {
    const world = await committedWorld([texts(3)]);
    expect(await offsets(world, 'delete')).toMatchObject({ code: 2 });
    const pipeline = pipelineOf(world);
    await pipeline.start();
    const live = await offsets(world, 'delete', '--yes');
    expect(live.code).toBe(1);
    expect(live.stderr).toContain('[LEDGER_IN_USE]');
    await pipeline.stop();
    const { stdout, code } = await offsets(world, 'delete', '--yes', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      pipeline: 'orders',
      removed: [{ topic: world.topic, partition: 0, storedOffset: '3' }],
    });
    expect(await world.committed()).toBeUndefined();
    expect(await world.query('SELECT count(*)::int AS n FROM tidemark.ranges')).toEqual([{ n: 3 }]);
  });
});

describe('wrong input', () => {
  const broker = ['--brokers', 'localhost:1'];
  test.each([
    ['nothing', ['reset', '--to-latest'], 'FILE: nothing says whose offsets'],
    ['a store without a name', ['reset', '--to-latest', '--store', 'file:///tmp'], '--pipeline: a name is needed'],
    ['an unknown store', ['lag', '--store', 'mysql://a', '--pipeline', 'p'], 'mysql:// is no offset store'],
    ['a file and a store', ['lag', 'a.yaml', '--store', 'file:///tmp'], '--store: FILE names the store already'],
    ['a broker without a port', ['lag', '--group', 'g', '--brokers', 'here'], '--brokers: not a broker (here)'],
    ['no target', ['reset', '--group', 'g', ...broker], 'reset: nothing says where to'],
    [
      'two targets',
      ['reset', '--group', 'g', ...broker, '--to-latest', '--to-earliest'],
      'reset: more than one target',
    ],
    ['a fraction', ['reset', '--group', 'g', ...broker, '--to-offset', '1.5'], '--to-offset: not a whole number (1.5)'],
    ['a word', ['reset', '--group', 'g', ...broker, '--shift-by', 'back'], '--shift-by: not a whole number (back)'],
    ['a date', ['reset', '--group', 'g', ...broker, '--to-datetime', '2026-02-31'], '--to-datetime: '],
    ['a duration', ['reset', '--group', 'g', ...broker, '--by-duration', 'an hour'], '--by-duration: '],
    [
      'a partition',
      ['lag', '--group', 'g', ...broker, '--topic', 'orders:x'],
      '--topic: "x" is no partition (orders:x)',
    ],
    ['a range', ['lag', '--group', 'g', ...broker, '--topic', 'orders:3-1'], '--topic: 3-1 is no range of partitions'],
    ['two partitions to skip', ['skip', '--group', 'g', ...broker, '--topic', 'o:1-2'], '--group: '],
  ])('%s is said, with exit code 2', async (_, args, what) => {
    const { code, stderr, stdout } = await commandHere(['offsets', ...args]);
    expect(stderr).toContain(`tidemark: ${what}`);
    expect(stderr).not.toContain('    at ');
    expect([code, stdout]).toEqual([2, '']);
  });

  test('an unknown pipeline, topic or partition is said, with exit code 2', async () => {
    const world = await committedWorld([texts(1)]);
    const place = ['--store', world.databaseUrl, '--brokers', world.brokers.join(',')];
    const pipeline = await commandHere(['offsets', 'lag', ...place, '--pipeline', 'order']);
    expect(pipeline.stderr).toContain('Nothing is kept under the name order');
    expect(pipeline.stderr).not.toContain('://');
    const topic = await offsets(world, 'reset', '--to-latest', '--topic', 'bills');
    expect(topic.stderr).toContain('pipeline orders has no topic bills');
    const partition = await offsets(world, 'pause', '--topic', `${world.topic}:0-2`);
    expect(partition.stderr).toContain(`pipeline orders has no partition 1, 2 of topic ${world.topic}`);
    expect([pipeline.code, topic.code, partition.code]).toEqual([2, 2, 2]);
    const removed = await commandHere(['offsets', 'delete', '--yes', ...place, '--pipeline', 'order']);
    expect([removed.code, removed.stdout]).toEqual([2, '']);
    expect(removed.stderr).toContain('order has no positions');
  });

  test('a ledger of a newer version, a role without rights, a silent broker, a store that keeps no orders', async () => {
    const world = await committedWorld([texts(1)]);
    const { databaseUrl } = world;
    const silent = await offsets(world, 'lag', '--brokers', `localhost:${await freePort()}`);
    expect([silent.code, silent.stderr.includes('[KAFKA_UNREACHABLE]')]).toEqual([1, true]);
    await world.query("CREATE ROLE stranger LOGIN PASSWORD 'a b'");
    const url = new URL(databaseUrl);
    url.username = 'stranger';
    url.password = 'a b';
    const place = ['--store', url.href, '--pipeline', 'orders', '--brokers', world.brokers.join(',')];
    const stranger = await commandHere(['offsets', 'lag', ...place]);
    expect(stranger.code).toBe(1);
    expect(stranger.stderr).toContain('Grant the role USAGE on the schema');
    await world.query('DROP ROLE stranger');
    const file = ['--store', `file://${world.folder}`, '--pipeline', 'orders'];
    const incapable = await commandHere(['offsets', 'pause', ...file]);
    expect(incapable.code).toBe(2);
    expect(incapable.stderr).toContain('[STORE_INCAPABLE]');
    await world.query('INSERT INTO tidemark.version (version) VALUES (99)');
    const newer = await offsets(world, 'lag');
    expect([newer.code, newer.stderr.includes('has version 99')]).toEqual([1, true]);
  });
});
