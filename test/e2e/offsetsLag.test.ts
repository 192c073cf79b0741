import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { definePipeline, type PipelineOptions } from '../../src/index.ts';
import {
  type KafkaService,
  kafkaClassPath,
  kafkaService,
  postgresService,
  skipWithout,
  waitUntil,
} from '../services/index.ts';
import { javaProgram } from '../services/java.ts';
import { quickJvm } from '../services/kafka/cluster.ts';
import { commandHere } from '../support/commandHere.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

let kafka: KafkaService;

beforeAll(async () => {
  [kafka] = await Promise.all([kafkaService(), postgresService()]);
}, 180_000);

const partitions = 3;

/** The command on a file of the world. */
function offsets(world: PipelineWorld, command: string, ...args: readonly string[]) {
  return commandHere(['offsets', command, ...args], { environment: world.environment });
}

async function shown<T>(world: PipelineWorld, command: string, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await offsets(world, command, '--json', ...args);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}

type Partition = Readonly<Record<string, unknown>> & { readonly partition: number };
interface Described {
  readonly lagUnit: string;
  readonly partitions: readonly Partition[];
  readonly warnings: readonly string[];
}

/** A pipeline over the topic of the world, and its file; groups are named anew in each world. */
async function pipelineIn(world: PipelineWorld, pipeline: string, source: PipelineOptions['source'] = {}) {
  const groupId = `${world.topic}-${pipeline}`;
  const options = { pipeline, source: { topics: [world.topic], groupId, ...source } };
  const name = await world.config(options, `${pipeline}.yaml`);
  const start = async (until: 'end' | 'stopped') => {
    const running = definePipeline({
      ...options,
      ...{ kafka: { brokers: [...world.brokers] }, batch: { lingerMs: 0 }, sink: offsetSink(world) },
    });
    onTestFinished(() => running.stop().catch(() => {}));
    await running.start({ until });
    if (until === 'end') await running.finished;
    return running;
  };
  return { groupId, file: join(world.folder, name), start };
}

function produce(world: PipelineWorld, partition: number, count: number) {
  return world.produce(
    Array.from({ length: count }, () => 'x'),
    partition,
  );
}

async function worldWithRecords() {
  const world = await pipelineWorld({ partitions });
  await Promise.all([produce(world, 0, 10), produce(world, 1, 10)]);
  return world;
}

/** What Kafka's own tool says of groups: by group and partition, its words of each line. */
async function consumerGroups(
  java: string,
  groups: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const command = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
  const classPath = kafka.classPath ?? (await kafkaClassPath());
  const { stdout } = await promisify(execFile)(java, [
    ...[...quickJvm, '-Xmx128m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error', '-cp', classPath, command],
    ...['--bootstrap-server', kafka.brokers.join(','), '--describe', '--offsets'],
    ...groups.flatMap((group) => ['--group', group]),
  ]);
  const lines = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(lines.flatMap(([group = '', , partition = '', ...facts]) => [[`${group} ${partition}`, facts]]));
}

test("describe and Kafka's own tool agree, whether a worker runs or not, and whoever assigns the partitions", async (context) => {
  const java = javaProgram();
  if (java === undefined) return skipWithout(context, 'java', 'java is not installed');
  const world = await worldWithRecords();
  const all = await pipelineIn(world, 'all');
  const running = await pipelineIn(world, 'running');
  const grouped = await pipelineIn(world, 'grouped', { assignment: 'group' });
  await all.start('end');
  await Promise.all([running.start('stopped'), grouped.start('stopped')]);
  for (const { file } of [running, grouped]) {
    await waitUntil('the records to be committed', async () => {
      const found = await shown<{ totalLag: string; lagUnknown: number }>(world, 'lag', file);
      return found.totalLag === '0' && found.lagUnknown === 0;
    });
    expect(await offsets(world, 'pause', '--reason', 'a look', '--topic', `${world.topic}:1`, file)).toMatchObject({
      code: 0,
    });
  }
  await Promise.all([produce(world, 0, 5), produce(world, 1, 5)]);
  const files = [all, running, grouped];
  const described = new Map<string, Described>();
  await waitUntil('the groups to have heard of it', async () => {
    for (const { groupId, file } of files) described.set(groupId, await shown<Described>(world, 'describe', file));
    const ofWorkers = [running, grouped].map(({ groupId }) => described.get(groupId)?.partitions ?? []);
    return ofWorkers.every((found) => {
      const isCopied = found.every(({ groupOffset, storedOffset }) => groupOffset === storedOffset);
      return isCopied && found[0]?.storedOffset === '15';
    });
  });
  const tool = await consumerGroups(
    java,
    files.map(({ groupId }) => groupId),
  );
  for (const { groupId } of files) {
    const ours = described.get(groupId);
    expect(ours).toMatchObject({ lagUnit: 'offsets', warnings: [] });
    for (const one of ours?.partitions ?? []) {
      const facts = [one.groupOffset, one.logEndOffset, one.lag];
      expect(tool.get(`${groupId} ${one.partition}`)?.slice(0, 3), `${groupId} ${one.partition}`).toEqual(facts);
      expect(one.storedOffset).toBe(one.groupOffset);
    }
  }
  const lags = (groupId: string) => described.get(groupId)?.partitions.map(({ lag }) => lag);
  expect([lags(all.groupId), lags(running.groupId)]).toEqual([
    ['5', '5', '0'],
    ['0', '5', '0'],
  ]);
  const owners = described.get(grouped.groupId)?.partitions.map(({ owner, state }) => ({ owner, state }));
  expect(owners).toMatchObject([
    { owner: { kind: 'process', pid: process.pid, alive: true }, state: 'running' },
    { state: 'paused' },
    {},
  ]);
});

describe('a pipeline that does not run', () => {
  async function stopped() {
    const world = await worldWithRecords();
    const pipeline = await pipelineIn(world, 'orders');
    await pipeline.start('end');
    await produce(world, 1, 4);
    await produce(world, 2, 1);
    return { world, ...pipeline };
  }

  test('lag, describe and list show the same, for people and for programs', async () => {
    const { world, file, groupId } = await stopped();
    const { topic } = world;
    const lag = await offsets(world, 'lag', file);
    expect(lag.stdout).toMatch(
      new RegExp(`^TOPIC +PARTITIONS +LAG-OFFSETS +MAX-LAG +LAG-S +STATE\\n${topic} +3 +5 +4 +\\d+ +running\\n$`),
    );
    const single = await offsets(world, 'lag', '--partitions', '--topic', `${topic}:1`, file);
    expect(single.stdout).toMatch(new RegExp(`\\n${topic} +1 +running +10 +14 +4 +\\d+\\n$`));

    const [, found] = await Promise.all([
      offsets(world, 'describe', file),
      shown<Described>(world, 'describe', '--only-lagging', file),
    ]);
    expect(found.partitions).toMatchObject([
      { partition: 1, storedOffset: '10', groupOffset: '10', logStartOffset: '0', logEndOffset: '14', lag: '4' },
      { partition: 2, storedOffset: '0', groupOffset: '0', lag: '1', state: 'running' },
    ]);
    expect(found.partitions.every(({ owner, lagSeconds }) => owner === undefined && Number(lagSeconds) < 600)).toBe(
      true,
    );
    // Partition 2 had nothing to commit before.
    expect(found.partitions.map(({ lastCommitMs }) => typeof lastCommitMs)).toEqual(['number', 'undefined']);

    const ofGroup = await shown<Described>(world, 'describe', '--group', groupId, '--brokers', world.brokers.join(','));
    expect(ofGroup.partitions.map(({ storedOffset, lag: behind }) => [storedOffset, behind])).toEqual([
      ['10', '0'],
      ['10', '4'],
      ['0', '1'],
    ]);

    const listed = await shown<{ progress: { name: string; kind: string }[] }>(world, 'list', file);
    const own = listed.progress.filter(
      ({ name, kind }) => (name === 'orders' && kind === 'pipeline') || name === groupId,
    );
    expect(own).toMatchObject([
      {
        name: 'orders',
        kind: 'pipeline',
        topics: [topic],
        partitions: 3,
        ownersAlive: 0,
        lag: '5',
        states: { running: 3 },
      },
      { name: groupId, kind: 'group', topics: [topic], partitions: 3, ownersAlive: 0, lag: '5', states: { Empty: 1 } },
    ]);
    const byUrl = await offsets(world, 'list', '--csv', '--store', world.databaseUrl);
    expect(byUrl.stdout).toMatch(/^name,kind,topics,.*\norders,pipeline,/);
    const byBrokers = await offsets(world, 'list', '--brokers', world.brokers.join(','));
    expect(byBrokers.stdout).toMatch(new RegExp(`\\n${groupId} +group +${topic} +3 +0 +5 +- +Empty\\n`));
  });

  test('lag fails over a threshold, and watches until it is interrupted', async () => {
    const { world, file } = await stopped();
    expect((await offsets(world, 'lag', '--fail-over', '4', file)).code).toBe(0);
    const over = await offsets(world, 'lag', '--fail-over', '3', file);
    expect([over.code, over.stderr]).toEqual([5, `tidemark: ${world.topic}-1: lag 4 is over 3\n`]);

    for (const isOutTty of [false, true]) {
      let interrupt = () => {};
      let blocks = 0;
      const watched = commandHere(['offsets', 'lag', '--watch', '0.05', file], {
        environment: world.environment,
        isOutTty,
        onInterrupt: (callback) => {
          interrupt = callback;
          return () => {};
        },
        onOut: (text) => {
          if (!text.startsWith('TOPIC')) return;
          blocks += 1;
          if (blocks === 2) interrupt();
        },
      });
      const { code, stdout, stderr } = await watched;
      expect([code, stderr, blocks]).toEqual([0, '', 2]);
      expect(stdout.split(isOutTty ? '\u001b[H\u001b[2J' : '\n\n')).toHaveLength(isOutTty ? 3 : 2);
    }
  });
});
