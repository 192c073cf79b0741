import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { loadLibrary, packageName, unavailable } from '../../src/kafka/drivers/confluent/library.ts';
import { readerSettings } from '../../src/kafka/drivers/confluent/settings.ts';
import { createDriver, type KafkaDriver, type PartitionStream } from '../../src/kafka/index.ts';
import { kafkaService, waitUntil } from '../services/index.ts';
import { builtConfluentFolder } from '../support/confluentFolder.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';

needsConfluent();

const { brokers } = await kafkaService();
const environment = await kafkaDriverEnvironment(brokers, { driver: 'confluent' });

afterAll(() => environment.close());

async function connected(): Promise<KafkaDriver> {
  const driver = await environment.newDriver();
  await driver.connect();
  return driver;
}

const topicIdOf = async (driver: KafkaDriver, topic: string) =>
  (await driver.describeTopics([topic]))[0]?.topicId ?? '';
const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ value: `${index}` }));

async function follow(driver: KafkaDriver, topic: string, fromOffset = 0n): Promise<PartitionStream> {
  const topicId = await topicIdOf(driver, topic);
  return driver.openFetcher().follow({ topic, partition: 0, topicId, fromOffset, onChange: () => {} });
}

/** What the stream has handed out, by taking everything until a condition holds. */
async function takeUntil(stream: PartitionStream, offset: bigint): Promise<string[]> {
  const values: string[] = [];
  await waitUntil(`offset ${offset}`, () => {
    if (stream.error !== undefined) throw stream.error;
    for (let chunk = stream.take(); chunk !== undefined; chunk = stream.take()) {
      for (const cursor = chunk.cursor(); cursor.next(); ) values.push(String(cursor.record().text()));
    }
    return stream.takenUntil >= offset;
  });
  return values;
}

describe('commits to a group', () => {
  test('an offset beyond 32 bits arrives as it is, and never as 0', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic()];
    const offset = 9_007_199_254_740_001n;
    await driver.commitOffsets(topic, [{ topic, partition: 0, offset, metadata: 'as it is' }]);
    expect(await driver.committedOffsets(topic, [topic])).toEqual([
      { topic, partition: 0, offset, metadata: 'as it is' },
    ]);
  });

  test('a commit that the broker refuses rejects', async () => {
    const [driver, other, topic] = [await connected(), await connected(), await environment.createTopic()];
    const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
    const groupId = `group-of-${topic}`;
    const member = other.openMembership(
      { groupId, subscription: { topics: [topic] }, protocol: 'cooperative' },
      listener,
    );
    await member.join();
    // The group has a member, and only members may commit.
    await assert.rejects(
      driver.commitOffsets(groupId, [{ topic, partition: 0, offset: 3n, metadata: '' }]),
      (error: { code?: string; foreignCode?: string }) =>
        error.code === 'GROUP_ACTIVE' && error.foreignCode === 'UNKNOWN_MEMBER_ID',
    );
    expect(await driver.committedOffsets(groupId, [topic])).toEqual([]);
    await member.leave();
  });

  test("a member's metadata ends with a zero byte, which our drivers do not show; without metadata there is none", async () => {
    const [driver, topic] = [await connected(), await environment.createTopic({ partitions: 2 })];
    const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
    const member = driver.openMembership({ groupId: topic, subscription: { topics: [topic] } }, listener);
    await member.join();
    const offsets = [
      { topic, partition: 0, offset: 1n, metadata: 'text' },
      { topic, partition: 1, offset: 2n, metadata: '' },
    ];
    await member.commitOffsets(offsets);
    const [found] = await environment.admin.fetchOffsets({ groupId: topic, topics: [topic] });
    expect(found?.partitions.map(({ metadata }) => metadata ?? '').sort()).toEqual(['', 'text\0']);
    const committed = await driver.committedOffsets(topic, [topic]);
    expect([...committed].sort((a, b) => a.partition - b.partition)).toEqual(offsets);
    await member.leave();
  });

  test('commits that are made at the same time each get the answer to their own', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic({ partitions: 2 })];
    const commit = (partition: number, offset: bigint) =>
      driver.commitOffsets(topic, [{ topic, partition, offset, metadata: '' }]);
    const outcomes = await Promise.allSettled([commit(0, 1n), commit(7, 2n), commit(1, 3n), commit(0, 4n)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    const offsets = (await driver.committedOffsets(topic, [topic])).map(({ partition, offset }) => [partition, offset]);
    expect(offsets.sort()).toEqual([
      [0, 4n],
      [1, 3n],
    ]);
  });
});

describe('reading', () => {
  test('a position outside of the log is an error: the reset policy is the one that was set', async () => {
    const topic = await environment.createTopic();
    await environment.produce(topic, 0, numbered(5));
    const library = loadLibrary();
    const settings = readerSettings({
      brokers: [],
      clientId: 'test',
      ssl: undefined,
      sasl: undefined,
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 5_000,
    });
    const consumer = new library.KafkaConsumer(
      { ...settings, 'bootstrap.servers': brokers.join(','), 'fetch.wait.max.ms': 100 },
      undefined,
    );
    consumer.setDefaultConsumeTimeout(100);
    const errors: number[] = [];
    const offsets: number[] = [];
    consumer.on('data', ({ offset }) => offsets.push(offset));
    await new Promise<unknown>((resolve) => consumer.connect({ allTopics: false, timeout: 5_000 }, resolve));
    const outside = { topic, partition: 0, offset: 99 };
    consumer.incrementalAssign([outside]);
    await waitUntil('the error', async () => {
      await new Promise<void>((resolve) =>
        consumer.consume(10, (error) => {
          if (error) errors.push(error.code);
          resolve();
        }),
      );
      return errors.includes(-140);
    });
    expect(offsets).toEqual([]);
    await new Promise<void>((resolve) => consumer.disconnect(resolve));
  });

  test('a topic that was made again and has more records than were read gives none of them', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic()];
    await environment.produce(topic, 0, numbered(3));
    const stream = await follow(driver, topic);
    expect(await takeUntil(stream, 3n)).toEqual(['0', '1', '2']);
    await environment.deleteTopic(topic);
    await environment.recreateTopic(topic);
    await environment.produce(topic, 0, numbered(50));
    await waitUntil('the end of the stream', () => stream.error !== undefined);
    expect(stream.error).toMatchObject({ code: 'KAFKA_TOPIC_RECREATED' });
    expect([stream.take(), stream.fetchedUntil]).toEqual([undefined, 3n]);
  });

  test('a log start that overtakes a stream ends it, though the library says it once and of no partition', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic({ partitions: 2 })];
    const topicId = await topicIdOf(driver, topic);
    const fetcher = driver.openFetcher();
    const start = { topic, topicId, fromOffset: 0n, onChange: () => {} };
    const busy = fetcher.follow({ ...start, partition: 1 });
    await environment.produce(topic, 0, numbered(5));
    await environment.deleteRecords(topic, 0, 4n);
    const late = fetcher.follow({ ...start, partition: 0 });
    await waitUntil('the end of the stream', async () => {
      await environment.produce(topic, 1, numbered(20));
      for (; busy.take() !== undefined; );
      return late.error !== undefined;
    });
    expect(late.error).toMatchObject({ code: 'KAFKA_OFFSET_OUT_OF_RANGE', offset: 0n, fromOffset: 4n });
    expect(busy.error).toBe(undefined);
  });

  test('bounds tell the last stable offset from the high watermark', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic()];
    await environment.produce(topic, 0, numbered(2));
    const open = await environment.beginTransaction();
    await open.send(topic, 0, numbered(3));
    expect(await driver.bounds([{ topic, partition: 0 }])).toEqual([
      { logStartOffset: 0n, lastStableOffset: 2n, highWatermark: 5n },
    ]);
    await open.abort();
  });

  test('fetchers that wait for records leave the threads of the process to others', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic()];
    const streams = await Promise.all(Array.from({ length: 8 }, () => follow(driver, topic)));
    await waitUntil('bounds', () => streams.every(({ bounds }) => bounds !== undefined));
    const { readFile } = await import('node:fs/promises');
    const beganMs = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => readFile('package.json')));
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });
});

describe('the native part', () => {
  test('is refused in a second thread, with the way out', async () => {
    loadLibrary();
    const folder = builtConfluentFolder() ?? '';
    const program = `require(${JSON.stringify(join(folder, 'node_modules', packageName))})`;
    const worker = new Worker(program, { eval: true });
    const refusal = await new Promise<Error>((resolve) => worker.on('error', resolve));
    expect(unavailable(refusal)).toMatchObject({
      code: 'KAFKA_DRIVER_UNAVAILABLE',
      message: expect.stringContaining('second thread'),
      hint: expect.stringContaining('scale by processes'),
    });
  });
});

describe('closing', () => {
  test('with records that nobody has taken ends', async () => {
    const [driver, topic] = [await connected(), await environment.createTopic()];
    for (let batch = 0; batch < 20; batch += 1) await environment.produce(topic, 0, numbered(200));
    const stream = await follow(driver, topic);
    await waitUntil('records', () => stream.fetchedUntil > 0n);
    const beganMs = performance.now();
    await Promise.all([driver.close(), driver.close()]);
    await driver.close();
    expect(performance.now() - beganMs).toBeLessThan(6_000);
    expect(stream.error).toMatchObject({ code: 'KAFKA_CLOSED' });
  });

  test('a driver nobody answers to is refused in time, with what the library said', async () => {
    const driver = await createDriver({ driver: 'confluent', brokers: ['127.0.0.1:1'], connectTimeoutMs: 1_500 });
    const beganMs = performance.now();
    await assert.rejects(driver.connect(), { code: 'KAFKA_UNREACHABLE', retriable: true });
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });
});
