import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import type { KafkaDriver } from '../../src/kafka/index.ts';
import { kafkaClassPath, kafkaService, postgresService, skipWithout } from '../services/index.ts';
import { javaProgram } from '../services/java.ts';
import { quickJvm } from '../services/kafka/cluster.ts';
import { commandHere } from '../support/commandHere.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

interface World extends PipelineWorld {
  readonly driver: KafkaDriver;
  /** Runs `tidemark offsets …` on pipeline `orders` of the world's database, without a word about brokers. */
  offsets(command: string, ...args: readonly string[]): ReturnType<typeof commandHere>;
  /** The same with its brokers. */
  withBrokers(command: string, ...args: readonly string[]): ReturnType<typeof commandHere>;
  readonly brokerList: readonly ['--brokers', string];
  /** Positions of a pipeline by partition. */
  positions(pipeline?: string): Promise<Record<string, string>>;
  commit(group: string, offsets: Readonly<Record<number, bigint>>): Promise<void>;
  committedBy(group: string): Promise<Record<string, string>>;
}

/** A topic of 10, 4 and 0 records. */
async function newWorld(): Promise<World> {
  const world = await pipelineWorld({ partitions: 3 });
  const driver = await world.kafka.newDriver();
  await driver.connect();
  await world.produce(texts(10), 0);
  await world.produce(texts(4), 1);
  const place = ['--store', world.databaseUrl, '--pipeline', 'orders'];
  const brokerList = ['--brokers', world.brokers.join(',')] as const;
  const run = (command: string, ...args: readonly string[]) =>
    commandHere(['offsets', command, ...args], { environment: { TIDEMARK_OPERATOR: 'anna' } });
  return {
    ...world,
    driver,
    brokerList,
    offsets: (command, ...args) => run(command, ...place, ...args),
    withBrokers: (command, ...args) => run(command, ...place, ...brokerList, ...args),
    positions: async (pipeline = 'orders') => {
      const [ledger] = await world.query<{ there: boolean }>(
        "SELECT to_regclass('tidemark.offsets') IS NOT NULL AS there",
      );
      if (!ledger?.there) return {};
      const rows = await world.query<{ partition: number; at: string }>(
        `SELECT partition, next_offset::text AS at FROM tidemark.offsets WHERE pipeline = '${pipeline}'`,
      );
      return Object.fromEntries(rows.map(({ partition, at }) => [partition, at]));
    },
    commit: (group, offsets) =>
      driver.commitOffsets(
        group,
        Object.entries(offsets).map(([partition, offset]) => ({
          ...{ topic: world.topic, partition: Number(partition), offset, metadata: '' },
        })),
      ),
    committedBy: async (group) => {
      const committed = await driver.committedOffsets(group);
      return Object.fromEntries(committed.map(({ partition, offset }) => [partition, String(offset)]));
    },
  };
}

const texts = (count: number) => Array.from({ length: count }, (_, id) => JSON.stringify({ id }));

/** Gives pipeline `orders` these positions. */
async function started(world: World, positions: Readonly<Record<number, number>> = { 0: 10, 1: 4, 2: 0 }) {
  const lines = Object.entries(positions).map(([partition, offset]) => `${world.topic},${partition},${offset}\n`);
  const from = join(world.folder, 'first.csv');
  await writeFile(from, lines.join(''));
  expect(await world.withBrokers('import', '--from', from, '--execute')).toMatchObject({ code: 0 });
}

/** Joins a group as a consumer would. */
async function joined(world: World, groupId: string): Promise<{ leave(): Promise<void> }> {
  const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
  const member = world.driver.openMembership({ groupId, subscription: { topics: [world.topic] } }, listener);
  await member.join();
  return member;
}

/** Kafka's own tool: what it says on standard output. */
async function consumerGroups(java: string, world: World, ...args: readonly string[]): Promise<string> {
  const classPath = (await kafkaService()).classPath ?? (await kafkaClassPath());
  const command = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
  const jvm = [...quickJvm, '-Xmx128m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath];
  const all = [...jvm, command, '--bootstrap-server', world.brokers.join(','), ...args];
  return (await promisify(execFile)(java, all)).stdout;
}

describe('export and import', () => {
  test("Kafka's own tool reads what we write, and we read what it writes", async (context) => {
    const java = javaProgram();
    if (java === undefined) return skipWithout(context, 'java', 'java is not installed');
    const world = await newWorld();
    // It puts quotes around long names only.
    const long = `${world.topic}-with-a-name-of-more-than-24-characters`;
    await world.kafka.admin.createTopics({ topics: [{ topic: long, numPartitions: 1 }], waitForLeaders: true });
    const group = `${world.topic}-g`;
    await world.commit(group, { 0: 7n, 1: 2n });
    await world.driver.commitOffsets(group, [{ topic: long, partition: 0, offset: 0n, metadata: '' }]);
    const toCurrent = ['--reset-offsets', '--to-current', '--all-topics', '--dry-run', '--export'];
    const theirs = await consumerGroups(java, world, '--group', group, ...toCurrent);
    const ours = await commandHere(['offsets', 'export', '--csv', '--group', group, ...world.brokerList]);
    expect(ours).toMatchObject({ code: 0, stderr: '' });
    const lines = (text: string) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    expect(lines(ours.stdout)).toEqual(lines(theirs));
    expect(ours.stdout).toBe(`${world.topic},0,7\n${world.topic},1,2\n"${long}",0,0\n`);

    const [theirFile, ourFile] = [join(world.folder, 'theirs.csv'), join(world.folder, 'ours.csv')];
    await writeFile(theirFile, theirs);
    const imported = await world.withBrokers('import', '--from', theirFile, '--execute');
    expect(imported).toMatchObject({ code: 0 });
    expect((await world.query('SELECT topic FROM tidemark.offsets ORDER BY topic, partition')).length).toBe(3);
    const topic = ['--topic', world.topic];
    expect(await world.withBrokers('reset', ...topic, '--shift-by', '-1', '--execute')).toMatchObject({ code: 0 });
    expect(await world.offsets('export', '--csv', '--out', ourFile)).toMatchObject({ code: 0, stdout: '' });
    const back = `${world.topic}-back`;
    await consumerGroups(java, world, '--group', back, '--reset-offsets', '--from-file', ourFile, '--execute');
    const committed = await world.driver.committedOffsets(back);
    expect(committed.map((one) => [one.topic, one.partition, one.offset])).toEqual(
      expect.arrayContaining([
        [world.topic, 0, 6n],
        [world.topic, 1, 1n],
        [long, 0, 0n],
      ]),
    );
  });

  test('an export brings a pipeline back to where it was, and rows that are gone with it', async () => {
    const world = await newWorld();
    const nothing = await world.offsets('export');
    expect(nothing).toMatchObject({ code: 2, stdout: '' });
    expect(nothing.stderr).toContain('orders has no positions');
    await started(world);
    const file = join(world.folder, 'orders.json');
    expect(await world.offsets('export', '--out', file)).toEqual({ code: 0, stdout: '', stderr: '' });
    const shown = await world.offsets('export', '--topic', `${world.topic}:0-1`);
    const { pipeline, positions } = JSON.parse(shown.stdout) as { pipeline: string; positions: object[] };
    expect(pipeline).toBe('orders');
    const [{ topicId } = { topicId: '' }] = await world.driver.describeTopics([world.topic]);
    const facts = { topic: world.topic, topicId, leaderEpoch: -1, state: 'running' };
    expect(positions).toEqual([
      { ...facts, partition: 0, offset: '10' },
      { ...facts, partition: 1, offset: '4' },
    ]);

    const before = await readFile(file, 'utf8');
    expect(await world.offsets('export', '--out', file, '--csv')).toMatchObject({ code: 2 });
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await world.offsets('export', '--out', join(world.folder, 'no', 'such'))).toMatchObject({ code: 2 });

    await world.withBrokers('reset', '--to-earliest', '--execute');
    await world.query('DELETE FROM tidemark.offsets WHERE partition = 1');
    const plan = await world.withBrokers('import', '--from', file, '--json');
    expect(JSON.parse(plan.stdout)).toMatchObject({ executed: false, warnings: [] });
    expect(await world.positions()).toEqual({ 0: '0', 2: '0' });
    expect(await world.withBrokers('import', '--from', file, '--execute')).toMatchObject({ code: 0 });
    expect(await world.positions()).toEqual({ 0: '10', 1: '4', 2: '0' });

    const group = ['--group', `${world.topic}-g`, ...world.brokerList];
    const into = await commandHere(['offsets', 'import', ...group, '--from', file, '--execute']);
    expect(into).toMatchObject({ code: 0 });
    expect(await world.committedBy(`${world.topic}-g`)).toEqual({ 0: '10', 1: '4', 2: '0' });

    expect(await world.offsets('export', '--out', file, '--csv', '--force')).toMatchObject({ code: 0 });
    expect(await readFile(file, 'utf8')).toBe(`${world.topic},0,10\n${world.topic},1,4\n${world.topic},2,0\n`);
  });

  test('with one bad line nothing is changed, and all of them are named', async () => {
    const world = await newWorld();
    await started(world);
    const from = join(world.folder, 'bad.csv');
    const lines = [`${world.topic},0,3`, `${world.topic},1,x`, `${world.topic},99,1`, 'no-such-topic,0,1', 'a,b'];
    await writeFile(from, `${lines.join('\n')}\n`);
    const { code, stdout, stderr } = await world.withBrokers('import', '--from', from, '--execute');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const told = stderr.split('\n').filter((line) => line.includes('bad.csv, line'));
    expect(told.map((line) => line.replace(/^.*, line | \[USAGE_INVALID\]$/g, ''))).toEqual([
      '2: offset "x" is no whole number',
      `3: topic ${world.topic} has no partition 99, or pipeline orders does not read it`,
      '4: there is no topic no-such-topic, or pipeline orders does not read it',
      '5: 2 columns, expected are 3: topic,partition,offset',
    ]);
    expect(await world.positions()).toEqual({ 0: '10', 1: '4', 2: '0' });

    await writeFile(from, Buffer.from([0x6f, 0xff, 0x0a]));
    expect((await world.withBrokers('import', '--from', from)).stderr).toContain('is no text');
    const missing = await world.withBrokers('import', '--from', join(world.folder, 'missing'));
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('ENOENT') });
    expect(await world.offsets('import', '--from', from)).toMatchObject({ code: 2 });
  });

  test('what the file does not name stays, and of a new pipeline it is said where it begins', async () => {
    const world = await newWorld();
    const from = join(world.folder, 'one.csv');
    await writeFile(from, `${world.topic},1,2\r\n`);
    const { code, stderr, stdout } = await world.withBrokers('import', '--from', from, '--execute');
    expect(code).toBe(0);
    expect(stdout.split('\n')[1]?.trim().split(/ +/)).toEqual([world.topic, '1', '-', '2', '0', '0', '-']);
    expect(stderr).toContain(`${world.topic}: partitions 0, 2 get no position`);
    expect(await world.positions()).toEqual({ 1: '2' });
  });

  test('offsets of a topic that was made again are refused, unless it is adopted', async () => {
    const world = await newWorld();
    await started(world, { 0: 10 });
    const file = join(world.folder, 'old.json');
    await world.offsets('export', '--out', file);
    await world.kafka.deleteTopic(world.topic);
    await world.kafka.recreateTopic(world.topic);
    await world.produce(texts(20), 0);
    const refused = await world.withBrokers('import', '--from', file, '--execute');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/positions\[0\]: .*was made again since \(.*\): the offset is of another log/);
    expect(refused.stderr).toContain('--adopt-topic');
    const cloned = await world.withBrokers('clone', '--to-pipeline', 'copy', '--execute');
    expect(cloned).toMatchObject({ code: 4, stderr: expect.stringContaining('[KAFKA_TOPIC_RECREATED]') });
    expect(await world.withBrokers('import', '--from', file, '--execute', '--adopt-topic')).toMatchObject({ code: 0 });
    const [{ topicId } = { topicId: '' }] = await world.driver.describeTopics([world.topic]);
    expect(await world.query('SELECT topic_id::text AS id FROM tidemark.offsets')).toEqual([{ id: topicId }]);
    const differs = await world.offsets('diff', '--against-file', file);
    expect(differs).toMatchObject({ code: 5, stderr: expect.stringContaining('of different logs') });
  });
});

test('diff shows what differs, with exit code 5, against a group, a file, a ledger and a pipeline file', async () => {
  const world = await newWorld();
  await started(world);
  const group = `${world.topic}-g`;
  await world.commit(group, { 0: 7n, 1: 4n });
  const toGroup = await world.withBrokers('diff', '--against-group', group);
  expect(toGroup.code).toBe(5);
  expect(toGroup.stdout.split('\n').map((line) => line.trim().split(/ +/))).toEqual([
    ['TOPIC', 'PARTITION', 'LEFT', 'RIGHT', 'DIFFERENCE'],
    [world.topic, '0', '10', '7', '-3'],
    [world.topic, '2', '0', '-', '-'],
    [''],
  ]);
  expect(toGroup.stderr).toContain('2 of 3 partitions differ');
  expect(toGroup.stderr).not.toContain('tidemark:tidemark');
  const csv = await world.withBrokers('diff', '--against-group', group, '--csv', '--all');
  expect(csv.stdout).toBe(
    `topic,partition,left,right,difference\n${world.topic},0,10,7,-3\n${world.topic},1,4,4,0\n${world.topic},2,0,,\n`,
  );
  const file = join(world.folder, 'now.csv');
  await world.offsets('export', '--csv', '--out', file);
  expect(await world.offsets('diff', '--against-file', file)).toMatchObject({ code: 0, stdout: '' });
  const pipelineFile = await world.config();
  const both = await commandHere(
    [
      'offsets',
      'diff',
      join(world.folder, pipelineFile),
      '--against-store',
      world.databaseUrl,
      '--against-pipeline',
      'orders',
      '--json',
      '--all',
    ],
    { environment: world.environment },
  );
  expect(JSON.parse(both.stdout)).toMatchObject({
    compared: 3,
    different: 0,
    partitions: [{ left: '10', right: '10', difference: '0' }, {}, {}],
  });
  expect(both.stdout).not.toContain('@');
  expect(both.code).toBe(0);
  // One side has nothing: not equal. Neither has: a slip of the finger.
  const other = ['--against-store', world.databaseUrl, '--against-pipeline', 'nobody'];
  expect(await world.offsets('diff', ...other)).toMatchObject({ code: 5 });
  const neither = ['diff', '--store', world.databaseUrl, '--pipeline', 'neither', ...other];
  expect(await commandHere(['offsets', ...neither])).toMatchObject({ code: 2 });
  expect(await world.offsets('diff')).toMatchObject({ code: 2 });
  expect(await world.offsets('diff', '--against-group', group)).toMatchObject({ code: 2 });
});

describe('clone', () => {
  test('from a group: the pipeline goes on where the consumer stood, once that has stopped', async () => {
    const world = await newWorld();
    const group = `${world.topic}-g`;
    await world.commit(group, { 0: 7n, 1: 0n });
    const member = await joined(world, group);
    onTestFinished(() => member.leave());
    const file = join(world.folder, await world.config());
    const clone = (...args: readonly string[]) =>
      commandHere(['offsets', 'clone', file, ...args], { environment: world.environment });
    const active = await clone('--from-group', group, '--execute');
    expect(active).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[GROUP_ACTIVE]') });
    const allowed = await clone('--from-group', group, '--allow-active');
    expect(allowed.code).toBe(0);
    expect(allowed.stderr).toContain(`group ${group} has 1 member: its offsets still move`);
    // Without an offset is not at 0.
    expect(allowed.stderr).toContain(`${world.topic}: partition 2 gets no position`);
    expect(await world.positions()).toEqual({});
    await member.leave();
    expect(await clone('--from-group', group, '--execute')).toMatchObject({ code: 0 });
    expect(await world.positions()).toEqual({ 0: '7', 1: '0' });

    const pipeline = definePipeline({
      ...{ pipeline: 'orders', kafka: { brokers: [...world.brokers] }, source: { topics: [world.topic] } },
      sink: offsetSink(world),
    });
    onTestFinished(() => pipeline.stop().catch(() => {}));
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    expect(await world.query('SELECT count(*)::int AS n FROM public.orders')).toEqual([{ n: 3 + 4 }]);

    const again = await clone('--from-group', group);
    expect(again.stderr).toContain('orders has positions of 2 partitions already: --replace overwrites them');
    expect(again.stdout).toMatch(/ 0 +10 +7 +3 +0 /);
    expect(await clone('--from-group', group, '--execute')).toMatchObject({ code: 2 });
    expect(await world.positions()).toMatchObject({ 0: '10' });

    const mirror = `${group}-mirror`;
    const copied = { topic: world.topic, partition: 0, offset: 7n, metadata: 'tidemark:orders' };
    await world.driver.commitOffsets(mirror, [copied]);
    expect((await clone('--from-group', mirror)).stderr).toContain(`${mirror} is the mirror of a ledger`);
    expect(again.stderr).not.toContain('mirror');

    const back = await clone('--to-group', group, '--execute', '--replace');
    expect(back).toMatchObject({ code: 0 });
    expect(await world.committedBy(group)).toEqual({ 0: '10', 1: '4', 2: '0' });
  });

  test('to a group is refused while it has members, and nothing of it is written', async () => {
    const world = await newWorld();
    await started(world);
    const group = `${world.topic}-g`;
    const member = await joined(world, group);
    onTestFinished(() => member.leave());
    const refused = await world.withBrokers('clone', '--to-group', group, '--execute');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('[GROUP_ACTIVE]') });
    expect(await world.committedBy(group)).toEqual({});
    expect(await world.offsets('clone', '--to-group', group)).toMatchObject({ code: 2 });
  });

  test('to a new name, in the same ledger and in another place', async () => {
    const world = await newWorld();
    await started(world);
    const copy = ['clone', '--to-pipeline', 'orders-v2'] as const;
    const plan = await world.withBrokers(...copy, '--json');
    expect(JSON.parse(plan.stdout)).toMatchObject({ pipeline: 'orders-v2', executed: false });
    expect(await world.positions('orders-v2')).toEqual({});
    expect(await world.withBrokers(...copy, '--execute')).toMatchObject({ code: 0 });
    expect(await world.positions('orders-v2')).toEqual({ 0: '10', 1: '4', 2: '0' });
    await world.withBrokers('reset', '--to-earliest', '--execute');
    const backup = join(world.folder, 'before.json');
    expect(await world.withBrokers(...copy, '--execute')).toMatchObject({ code: 2 });
    expect(await world.positions('orders-v2')).toMatchObject({ 0: '10' });
    const topic = ['--topic', `${world.topic}:1`];
    const replaced = ['--execute', '--replace', '--backup', backup, ...topic];
    expect(await world.withBrokers(...copy, ...replaced)).toMatchObject({ code: 0 });
    expect(await world.positions('orders-v2')).toEqual({ 0: '10', 1: '0', 2: '0' });
    expect(await readFile(backup, 'utf8')).toContain('"offset":"4"');

    const other = `file://${world.folder}/other`;
    const toOther = ['clone', '--to-pipeline', 'orders', '--to-store', other, '--execute'] as const;
    expect(await world.withBrokers(...toOther)).toMatchObject({ code: 0 });
    const equal = ['--against-store', other, '--against-pipeline', 'orders'];
    expect(await world.offsets('diff', ...equal)).toMatchObject({ code: 0 });

    for (const args of [
      ['--to-pipeline', 'orders'],
      ['--to-pipeline', 'orders', '--to-store', world.databaseUrl],
      [],
      ['--to-pipeline', 'a', '--to-group', 'b'],
      ['--to-group', 'b', '--to-store', other],
    ]) {
      expect(await world.withBrokers('clone', ...args), args.join(' ')).toMatchObject({ code: 2 });
    }
  });
});
