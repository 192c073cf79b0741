import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { definePipeline } from '../../src/index.ts';
import { kafkaService, postgresService } from '../services/index.ts';
import { commandHere } from '../support/commandHere.ts';
import { offsetSink, type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';

beforeAll(() => Promise.all([kafkaService(), postgresService()]), 180_000);

const timestamp = Date.UTC(2026, 0, 31, 12);

/** Six records of all kinds; the pipeline stands behind the first three. */
async function startedWorld(): Promise<PipelineWorld> {
  const world = await pipelineWorld();
  const produce = (records: Parameters<typeof world.kafka.produce>[2]) => world.kafka.produce(world.topic, 0, records);
  await produce([
    { key: 'k0', value: '{\n  "id": 12345678901234567890\n}', timestamp },
    { key: null, value: 'text 1', timestamp },
    { key: 'k2', value: `long ${'x'.repeat(200)}`, timestamp },
  ]);
  const pipeline = definePipeline({
    pipeline: 'orders',
    kafka: { brokers: [...world.brokers] },
    source: { topics: [world.topic] },
    sink: offsetSink(world),
  });
  onTestFinished(() => pipeline.stop().catch(() => {}));
  await pipeline.start({ until: 'end' });
  await pipeline.finished;
  await produce([
    { key: Buffer.from([0xff, 0x00]), value: Buffer.from([0, 1, 0xfe]), timestamp },
    { key: 'k4', value: null, timestamp },
    { key: '', value: 'a\u001b[2J', timestamp },
  ]);
  await world.config();
  return world;
}

test('peek shows what was processed last and what comes next, in any form, for a pipeline and for a group', async () => {
  const world = await startedWorld();
  const brokers = ['--brokers', world.brokers.join(',')];
  const place = [...brokers, '--store', world.databaseUrl, '--pipeline', 'orders'];
  const peek = (...args: readonly string[]) => commandHere(['offsets', 'peek', '--topic', `${world.topic}:0`, ...args]);
  const time = '2026-01-31T12:00:00.000Z';

  const shown = await commandHere(
    ['offsets', 'peek', '--topic', `${world.topic}:0`, join(world.folder, 'orders.yaml')],
    {
      environment: world.environment,
    },
  );
  expect([shown.code, shown.stderr]).toEqual([0, '']);
  expect(
    shown.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/)),
  ).toEqual([
    ['OFFSET', 'TIMESTAMP', 'KEY', 'VALUE', 'HEADERS'],
    ['0', time, 'k0', '{ "id": 12345678901234567890 }'],
    ['1', time, '-', 'text 1'],
    ['2', time, 'k2', `long ${'x'.repeat(74)}…`],
    ['>', '3', time, 'ff00', '0001fe'],
    ['4', time, 'k4', '(tombstone)'],
    ['5', time, '(empty)', 'a\\u001b[2J'],
  ]);
  expect((await peek(...place, '--full', '-B', '1', '-A', '0')).stdout).toContain('x'.repeat(200));

  const json = JSON.parse((await peek(...place, '-B', '1', '-A', '1', '--json')).stdout) as object;
  expect(json).toMatchObject({
    ...{ topic: world.topic, partition: 0, state: 'running', storedOffset: '3', offset: '3', logEndOffset: '6' },
    records: [
      { offset: '2', timestamp: time, key: 'k2', keyFormat: 'text', valueFormat: 'text', isNext: false },
      { offset: '3', key: 'ff00', keyFormat: 'hex', value: '0001fe', valueFormat: 'hex', headers: [], isNext: true },
      { offset: '4', key: 'k4', value: null, valueFormat: null },
    ],
    unreadable: [],
  });
  const csv = await peek(...place, '--offset', '0', '-A', '1', '--csv', '--format', 'text');
  expect(csv.stdout).toBe(
    `offset,timestamp,key,value,headers\n0,${time},k0,"{\n  ""id"": 12345678901234567890\n}",\n1,${time},,text 1,\n`,
  );

  const asked = await peek(...place, '--offset', '1', '-B', '0', '-A', '3');
  expect(asked.stdout).toMatch(/\n@ +1 .*\n +2 .*\n> +3 .*\n +4 .*\n$/);
  const end = await peek(...place, '--offset', '6', '-B', '1', '--format', 'hex');
  expect(end.stdout).toMatch(/ 5 .* 611b5b324a\n\(nothing committed at or behind offset 6\)\n$/);

  const group = await world.kafka.newDriver();
  await group.connect();
  const commitOffset = (offset: bigint) =>
    group.commitOffsets(world.topic, [{ topic: world.topic, partition: 0, offset, metadata: '' }]);
  await commitOffset(5n);
  const next = await peek('--group', world.topic, ...brokers, '-B', '1');
  expect([next.code, next.stdout]).toEqual([0, expect.stringMatching(/\n +4 .*\n> +5 .*\n$/)]);
  await commitOffset(6n);
  const done = await peek('--group', world.topic, ...brokers);
  expect(done.stdout).toMatch(/\n\(nothing committed at or behind the position 6\)\n$/);
});

test.each([
  [[], '--topic: exactly one partition is needed'],
  [['--topic', 'orders'], '--topic: exactly one partition is needed'],
  [['--topic', 'orders:0-1'], '--topic: exactly one partition is needed'],
  [['--topic', 'orders:0', '--topic', 'orders:1'], '--topic: exactly one partition is needed'],
  [['--topic', 'orders:0', '-B', '1001'], '--before: too many (1001), allowed: 0 to 1000'],
  [['--topic', 'orders:0', '-A', 'x'], '--after: not a whole number (x)'],
  [['--topic', 'orders:0', '--offset', '-1'], '--offset: not a whole number (-1)'],
  [['--topic', 'orders:0', '--format', 'avro'], '--format: unknown value (avro), allowed: json, text, hex'],
])('%j is a usage error', async (args, text) => {
  const { code, stdout, stderr } = await commandHere(['offsets', 'peek', '--group', 'g', '--brokers', 'h:1', ...args]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(text);
});
