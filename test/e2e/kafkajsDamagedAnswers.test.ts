import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDriver, type KafkaClientOptions, type KafkaDriver } from '../../src/kafka/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { kafkaService, topicPrefix } from '../services/index.ts';
import { type MeddlingProxy, meddlingProxy } from '../support/meddlingProxy.ts';
import { type RawProducer, rawProducer } from '../support/rawProducer.ts';
import { collect } from '../support/streams.ts';

const prefix = topicPrefix();
let producer: RawProducer;
let proxy: MeddlingProxy;
let driver: KafkaDriver;
let topic: string;
let topicId: string;
let topics = 0;

beforeAll(async () => {
  producer = await rawProducer((await kafkaService()).brokers);
});
afterAll(() => producer.close());

beforeEach(async () => {
  const kafka = await kafkaService();
  proxy = await meddlingProxy(kafka.brokers[0] ?? '');
  topics += 1;
  topic = `${prefix}damaged-${topics}`;
  await kafka.createTopic(topic, { partitions: 1 });
  driver = await connected({});
  const [description] = await driver.describeTopics([topic]);
  topicId = description?.topicId ?? '';
});
afterEach(async () => {
  await driver.close();
  await proxy.close();
});

async function connected(options: Partial<KafkaClientOptions>): Promise<KafkaDriver> {
  const made = await createDriver({ brokers: [proxy.address], ...options });
  await made.connect();
  return made;
}

function append(...values: string[]): Promise<bigint> {
  const batch = encodeRecordBatch({ baseOffset: 0n, records: values.map((value) => ({ value })) });
  return producer.append(topic, 0, batch);
}

function start(fromOffset = 0n) {
  return { topic, partition: 0, topicId, fromOffset };
}

/** Flips one bit of the value in whatever passes, as often as `times`. */
function damage(value: string, times: number): void {
  proxy.meddle = (data) => {
    const at = data.indexOf(value);
    if (at >= 0 && times > 0) {
      times -= 1;
      data[at] = (data[at] ?? 0) ^ 1;
    }
    return data;
  };
}

describe('a record batch with a flipped bit', () => {
  test('is read again, and right, when the damage was on the way', async () => {
    await append('first');
    await append('damaged');
    damage('damaged', 1);
    const read = collect(driver, start());
    await read.until((stream) => stream.takenUntil === 2n);
    expect(read.records.map((record) => record.text())).toEqual(['first', 'damaged']);
    expect(read.stream.retrying).toBeUndefined();
  });

  test('ends the stream when it stays so, after what came before it', async () => {
    await append('first');
    await append('second', 'damaged');
    await append('third');
    damage('damaged', Number.POSITIVE_INFINITY);
    const read = collect(driver, start());
    await expect(read.until(() => false)).rejects.toMatchObject({
      code: 'KAFKA_CORRUPT_BATCH',
      topic,
      partition: 0,
      fromOffset: 1n,
      untilOffset: 3n,
    });
    expect(read.stream.error?.message).toContain(`[1, 3) of ${topic}-0 is corrupt`);
    expect(read.records.map((record) => record.text())).toEqual(['first']);
    expect(read.stream.takenUntil).toBe(1n);
  });

  test('shows as retrying meanwhile', async () => {
    await append('damaged');
    damage('damaged', Number.POSITIVE_INFINITY);
    const read = collect(driver, start());
    await read.until((stream) => stream.retrying !== undefined);
    expect(read.stream.retrying?.error).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH' });
    proxy.meddle = (data) => data;
    await read.until((stream) => stream.takenUntil === 1n);
  });
});

describe('a connection', () => {
  const large = 'x'.repeat(200_000);

  test('that is cut in the middle of an answer loses and doubles nothing', async () => {
    for (let index = 0; index < 8; index += 1) await append(`${index}-${large}`);
    let passed = 0;
    let cuts = 0;
    proxy.meddle = (data) => {
      passed += data.length;
      if (cuts < 5 && passed > 120_000 * (cuts + 1)) {
        cuts += 1;
        return 'cut';
      }
      return data;
    };
    const read = collect(driver, start(), { fetchBytesMax: 500_000 });
    await read.until((stream) => stream.takenUntil === 8n);
    expect(cuts).toBe(5);
    expect(read.records.map(({ offset }) => Number(offset))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('that ends in a long poll is replaced, and what was written meanwhile is read', async () => {
    const read = collect(driver, start(), { fetchWaitMs: 20_000 });
    await read.until(({ bounds }) => bounds !== undefined);
    proxy.cut();
    await read.until(({ retrying }) => retrying !== undefined);
    expect(read.stream.retrying?.error).toMatchObject({ code: 'KAFKA_CONNECTION_LOST', retriable: true });
    await append('while away');
    await read.until((stream) => stream.takenUntil === 1n);
    expect(read.stream.retrying).toBeUndefined();
  });

  test('that falls silent is given up after its time', async () => {
    const impatient = await connected({ requestTimeoutMs: 400, connectTimeoutMs: 400 });
    const read = collect(impatient, start(), { fetchWaitMs: 100 });
    await read.until(({ bounds }) => bounds !== undefined);
    proxy.silence(true);
    await read.until(({ retrying }) => retrying !== undefined);
    expect(read.stream.retrying?.error.message).toMatch(/did not answer Fetch within 500 ms/);
    const begun = performance.now();
    await expect(impatient.bounds([{ topic, partition: 0 }])).rejects.toMatchObject({ retriable: true });
    expect(performance.now() - begun).toBeLessThan(15_000);
    proxy.silence(false);
    await append('after');
    await read.until((stream) => stream.takenUntil === 1n);
    await impatient.close();
  });

  test('whose answers are garbage is replaced, and the answer called by its name', async () => {
    await append('one');
    let damages = 0;
    const fetchAnswersBegin = Buffer.from(topicId.replaceAll('-', ''), 'hex');
    proxy.meddle = (data) => {
      const at = data.indexOf(fetchAnswersBegin);
      // The count of partitions after the topic id: more than the answer has room for.
      if (at >= 0 && damages < 2) {
        damages += 1;
        data.writeUInt32BE(0xffffff7f, at + 16);
      }
      return data;
    };
    const read = collect(driver, start());
    await read.until(({ retrying }) => retrying !== undefined);
    expect(read.stream.retrying?.error).toMatchObject({ foreignCode: 'MALFORMED_ANSWER' });
    expect(read.stream.retrying?.error.message).toContain(`Fetch answer of ${proxy.address}`);
    await read.until((stream) => stream.takenUntil === 1n);
  });

  test('that broke does not let requests fail while there is time', async () => {
    await append('one');
    proxy.cut();
    expect(await driver.bounds([{ topic, partition: 0 }])).toMatchObject([{ highWatermark: 1n }]);
    proxy.cut();
    expect(await driver.listTopics()).toContain(topic);
  });
});
