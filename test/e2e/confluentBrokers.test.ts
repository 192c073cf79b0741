import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createDriver, type KafkaDriver } from '../../src/kafka/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { type KafkaService, kafkaService } from '../services/index.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import { type RawProducer, rawProducer } from '../support/rawProducer.ts';
import { type CollectedStream, collect } from '../support/streams.ts';

needsConfluent();

const partitions = [0, 1, 2];
let kafka: KafkaService;
let producer: RawProducer;
const drivers: KafkaDriver[] = [];

beforeAll(async () => {
  kafka = await kafkaService({ owned: true, brokers: 3 });
  producer = await rawProducer(kafka.brokers);
}, 120_000);
afterAll(async () => {
  producer.close();
  await kafka.stop();
});
afterEach(async () => {
  await Promise.all(drivers.splice(0).map((driver) => driver.close()));
});

async function connected(): Promise<KafkaDriver> {
  const driver = await createDriver({ driver: 'confluent', brokers: kafka.brokers });
  drivers.push(driver);
  await driver.connect();
  return driver;
}

async function describeTopic(driver: KafkaDriver, topic: string) {
  const [description] = await driver.describeTopics([topic]);
  if (description === undefined) throw new Error('no description');
  return description;
}

/** Appends records in batches of ten; the value of each is its offset. */
async function append(topic: string, partition: number, from: number, count: number): Promise<void> {
  for (let batch = from; batch < from + count; batch += 10) {
    const records = Array.from({ length: 10 }, (_, index) => ({ value: `${batch + index} ${'x'.repeat(100)}` }));
    await producer.append(topic, partition, encodeRecordBatch({ baseOffset: 0n, records }));
  }
}

async function follow(driver: KafkaDriver, topic: string): Promise<CollectedStream[]> {
  const description = await describeTopic(driver, topic);
  return description.partitions.map(({ partition }) =>
    collect(driver, { topic, partition, topicId: description.topicId, fromOffset: 0n }, { fetchBytesMax: 5_000 }),
  );
}

/** Every record once, in order, and each the one of its offset. */
function expectAll({ records, chunks, stream }: CollectedStream, count: number): void {
  expect(stream.error).toBeUndefined();
  expect(records.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: count }, (_, index) => index));
  expect(records.map((record) => Number(record.text()?.split(' ')[0]))).toEqual(
    records.map(({ offset }) => Number(offset)),
  );
  let position = 0n;
  for (const { fromOffset, nextOffset } of chunks) {
    expect(fromOffset).toBe(position);
    position = nextOffset;
  }
}

describe('a cluster of three', () => {
  test('is read from all its leaders, and on when they move', async () => {
    await kafka.createTopic('moved', { partitions: 3, replicationFactor: 3 });
    for (const partition of partitions) await append('moved', partition, 0, 100);
    const driver = await connected();
    const streams = await follow(driver, 'moved');
    for (const [partition, { until }] of streams.entries()) {
      await until((stream) => stream.takenUntil === 100n);
      const leader = (await describeTopic(driver, 'moved')).partitions[partition]?.leader ?? 0;
      await kafka.moveLeader('moved', partition, (leader % 3) + 1);
      await append('moved', partition, 100, 100);
      await until((stream) => stream.takenUntil === 200n);
    }
    for (const stream of streams) expectAll(stream, 200);
  });
});
