import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDriver, type KafkaDriver } from '../../src/kafka/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { kafkaService, topicPrefix } from '../services/index.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import { type MeddlingProxy, meddlingProxy } from '../support/meddlingProxy.ts';
import { type RawProducer, rawProducer } from '../support/rawProducer.ts';
import { type CollectedStream, collect } from '../support/streams.ts';

needsConfluent();

const prefix = topicPrefix();
let producer: RawProducer;
let proxy: MeddlingProxy;
let driver: KafkaDriver;
let topics = 0;

beforeAll(async () => {
  producer = await rawProducer((await kafkaService()).brokers);
}, 120_000);
afterAll(() => producer.close());

beforeEach(async () => {
  proxy = await meddlingProxy((await kafkaService()).brokers[0] ?? '');
  driver = await createDriver({ driver: 'confluent', brokers: [proxy.address] });
  await driver.connect();
});
afterEach(async () => {
  await driver.close();
  await proxy.close();
});

/** A stream of three batches, [0, 1), [1, 3) and [3, 4), the second one damaged in as many answers as `times`. */
async function damaged(times: number): Promise<CollectedStream> {
  topics += 1;
  const topic = `${prefix}damaged-${topics}`;
  await (await kafkaService()).createTopic(topic, { partitions: 1 });
  for (const values of [['first'], ['second', 'damaged'], ['third']]) {
    const records = values.map((value) => ({ value }));
    await producer.append(topic, 0, encodeRecordBatch({ baseOffset: 0n, records }));
  }
  const [description] = await driver.describeTopics([topic]);
  proxy.meddle = (data) => {
    // The topic's name, which comes before, has the word too.
    const at = data.indexOf('damaged', data.indexOf('second'));
    if (data.includes('second') && at >= 0 && times > 0) {
      times -= 1;
      data[at] = (data[at] ?? 0) ^ 1;
    }
    return data;
  };
  return collect(driver, { topic, partition: 0, topicId: description?.topicId ?? '', fromOffset: 0n });
}

describe('a record batch with a flipped bit', () => {
  test('is read again, and right, when the damage was on the way', async () => {
    const read = await damaged(1);
    await read.until((stream) => stream.takenUntil === 4n);
    expect(read.records.map((record) => record.text())).toEqual(['first', 'second', 'damaged', 'third']);
  });

  test('ends the stream when it stays so, after what came before it', async () => {
    const read = await damaged(Number.POSITIVE_INFINITY);
    await expect(read.until((stream) => stream.takenUntil > 1n)).rejects.toMatchObject({
      code: 'KAFKA_CORRUPT_BATCH',
      partition: 0,
    });
    expect(read.records.map((record) => record.text())).toEqual(['first']);
    expect(read.stream.takenUntil).toBe(1n);
  });
});
