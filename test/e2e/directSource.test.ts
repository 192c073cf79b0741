import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirectSource } from '../../src/direct/index.ts';
import type { KafkaDriver } from '../../src/kafka/index.ts';
import { OffsetRange, type RecordChunk } from '../../src/model/index.ts';
import { systemClock } from '../../src/platform/index.ts';
import { kafkaService, waitUntil } from '../services/index.ts';
import { type KafkaDriverEnvironment, kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';

const options = {
  intervalMs: 0,
  lingerMs: 0,
  maxRecordsPerPartition: 50_000,
  maxBytesPerPartition: 8_388_608,
  maxRatePerPartition: 0,
  minRatePerPartition: 1,
  onDataLoss: 'stop',
  bufferedBytesMax: 33_554_432,
} as const;
const running = new AbortController().signal;

let environment: KafkaDriverEnvironment;
let driver: KafkaDriver;

beforeAll(async () => {
  environment = await kafkaDriverEnvironment((await kafkaService()).brokers);
  driver = await environment.newDriver();
  await driver.connect();
});

afterAll(() => environment.close());

/** A source that follows partition 0 of a fresh topic, and a wait for a plan of it. */
async function following(changes: Partial<typeof options> | object = {}, records = 0) {
  const topic = await environment.createTopic();
  if (records > 0) await environment.produce(topic, 0, numbered(0, records));
  const [described] = await driver.describeTopics([topic]);
  const source = new DirectSource(driver, { ...options, ...changes }, 1, systemClock, () => {});
  const topicId = described?.topicId ?? '';
  source.open({ topic, partition: 0, topicId, nextOffset: 0n, leaderEpoch: -1 });
  const plan = (position: bigint) =>
    source.planReady([{ topic, partition: 0, position, untilMax: undefined }], undefined);
  return { topic, topicId, source, plan };
}

function numbered(from: number, count: number) {
  return Array.from({ length: count }, (_, index) => ({ key: null, value: `value ${from + index}` }));
}

async function valuesOf(chunks: AsyncIterable<RecordChunk>): Promise<string[]> {
  const values: string[] = [];
  for await (const chunk of chunks) {
    const cursor = chunk.cursor();
    while (cursor.next()) values.push(cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd));
  }
  return values;
}

describe('direct source', () => {
  it('plans what is there and reads exactly that, range after range out of the same chunks', async () => {
    const { topic, source, plan } = await following({ maxRecordsPerPartition: 7 }, 20);
    await waitUntil('a range is planned', () => plan(0n).ranges.length === 1);
    const seen: string[] = [];
    for (const [from, until] of [
      [0n, 7n],
      [7n, 14n],
      [14n, 20n],
    ] as const) {
      const [range] = plan(from).ranges;
      expect(String(range)).toBe(String(new OffsetRange(topic, 0, from, until)));
      seen.push(...(await valuesOf(source.read(range as OffsetRange, running))));
    }
    expect(seen).toEqual(numbered(0, 20).map(({ value }) => value));
    expect(plan(20n).ranges).toEqual([]);
    await source.closeAll();
  });

  it('reads a range again after a seek back, with the same records', async () => {
    const { topic, source, plan } = await following({}, 10);
    await waitUntil('a range is planned', () => plan(0n).ranges.length === 1);
    const range = new OffsetRange(topic, 0, 2n, 6n);
    source.seek(range, 2n);
    const first = await valuesOf(source.read(range, running));
    source.seek(range, 2n);
    expect(await valuesOf(source.read(range, running))).toEqual(first);
    expect(first).toEqual(['value 2', 'value 3', 'value 4', 'value 5']);
    await source.closeAll();
  });

  it('waits lingerMs for more records, then no longer', async () => {
    const { source, plan } = await following({ lingerMs: 1_500 }, 3);
    await waitUntil('records wait', () => plan(0n).lookAgainMs !== undefined);
    expect(plan(0n).ranges).toEqual([]);
    expect(plan(0n).lookAgainMs).toBeLessThanOrEqual(1_500);
    await waitUntil('a range is planned', () => plan(0n).ranges.length === 1);
    await source.closeAll();
  });

  it('ends a continuous range early when nothing comes, and an exact one never', async () => {
    const continuous = await following({}, 3);
    const range = new OffsetRange(continuous.topic, 0, 0n, 5n);
    expect(await valuesOf(continuous.source.read(range, running))).toHaveLength(3);
    await continuous.source.closeAll();

    const exact = await following({ intervalMs: 1000 }, 3);
    const reading = valuesOf(exact.source.read(new OffsetRange(exact.topic, 0, 0n, 5n), running));
    await environment.produce(exact.topic, 0, numbered(3, 5));
    expect(await reading).toEqual(numbered(0, 5).map(({ value }) => value));
    await exact.source.closeAll();
  });

  it('a tick plans every partition up to the last stable offset, the empty ones too', async () => {
    const { topic, source } = await following({ intervalMs: 1000, maxRatePerPartition: 4 }, 10);
    const transaction = await environment.beginTransaction();
    await transaction.send(topic, 0, numbered(10, 2));
    const plan = (position: bigint) =>
      source.planTick([{ topic, partition: 0, position, untilMax: undefined }], undefined);
    expect(String((await plan(0n)).ranges[0])).toContain('[0 -> 4]');
    expect(String((await plan(8n)).ranges[0])).toContain('[8 -> 10]');
    expect(String((await plan(10n)).ranges[0])).toContain('[10 -> 10]');
    await transaction.abort();
    await source.closeAll();
  });

  it('a position outside the log is found before a record is read, and while reading', async () => {
    const { topic, topicId, source, plan } = await following({}, 10);
    await waitUntil('a range is planned', () => plan(0n).ranges.length === 1);
    await environment.deleteRecords(topic, 0, 5n);
    const position = { topic, partition: 0, topicId, nextOffset: 2n, leaderEpoch: -1 };
    expect(await source.verify([position])).toMatchObject([{ kind: 'stop', error: { code: 'DATA_LOSS' } }]);
    source.open(position);
    await waitUntil('a range is planned', () => plan(2n).ranges.length === 1);
    const reading = valuesOf(source.read(plan(2n).ranges[0] as OffsetRange, running));
    await expect(reading).rejects.toMatchObject({ code: 'KAFKA_OFFSET_OUT_OF_RANGE' });
    await source.closeAll();
  });

  it('an aborted read ends', async () => {
    const { topic, source } = await following({ intervalMs: 1000 });
    const stop = new AbortController();
    const reading = valuesOf(source.read(new OffsetRange(topic, 0, 0n, 5n), stop.signal));
    stop.abort(new Error('stopped'));
    await expect(reading).rejects.toThrow('stopped');
    await source.closeAll();
  });
});
