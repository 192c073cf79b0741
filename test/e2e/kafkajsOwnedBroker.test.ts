import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDriver, type KafkaDriver, readRange } from '../../src/kafka/index.ts';
import { type KafkaRecord, OffsetRange } from '../../src/model/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { type KafkaService, kafkaService, waitUntil } from '../services/index.ts';
import { type RawProducer, rawProducer } from '../support/rawProducer.ts';
import { collect } from '../support/streams.ts';

let kafka: KafkaService;
let producer: RawProducer;
let driver: KafkaDriver;

beforeAll(async () => {
  kafka = await kafkaService({ owned: true, config: { 'log.cleaner.backoff.ms': '100', 'log.cleaner.threads': '1' } });
});
afterAll(() => kafka.stop());

beforeEach(async () => {
  producer = await rawProducer(kafka.brokers);
  driver = await createDriver({ brokers: kafka.brokers });
  await driver.connect();
});
afterEach(async () => {
  await driver.close();
  producer.close();
});

interface Keyed {
  readonly key: string;
  readonly value: string | null;
}

function append(topic: string, records: readonly Keyed[]): Promise<bigint> {
  return producer.append(topic, 0, encodeRecordBatch({ baseOffset: 0n, baseTimestamp: Date.now(), records }));
}

function keyed(from: number, count: number, value: string | null): Keyed[] {
  return Array.from({ length: count }, (_, index) => ({ key: `k${from + index}`, value }));
}

async function topicIdOf(topic: string): Promise<string> {
  const [description] = await driver.describeTopics([topic]);
  return description?.topicId ?? '';
}

async function read(topic: string, from: number, until: number): Promise<KafkaRecord[]> {
  const fetcher = driver.openFetcher();
  const range = new OffsetRange(topic, 0, BigInt(from), BigInt(until));
  const records: KafkaRecord[] = [];
  let position = range.fromOffset;
  for await (const chunk of readRange(fetcher, { topicId: await topicIdOf(topic), range })) {
    expect(chunk.fromOffset).toBe(position);
    position = chunk.nextOffset;
    for (const cursor = chunk.cursor(); cursor.next(); ) records.push(cursor.record());
  }
  expect(position).toBe(range.untilOffset);
  await fetcher.close();
  return records;
}

const offsets = (records: readonly KafkaRecord[]) => records.map(({ offset }) => Number(offset));

describe('a compacted partition', () => {
  // Every append rolls the segment, so that all but the newest can be cleaned.
  const config = {
    'cleanup.policy': 'compact',
    'segment.ms': '1',
    'min.cleanable.dirty.ratio': '0.001',
    'min.compaction.lag.ms': '0',
    'delete.retention.ms': '0',
  };

  /** Waits until the log cleaner has left just these offsets. */
  async function cleanedTo(topic: string, until: number, expected: readonly number[]): Promise<void> {
    await waitUntil(`${topic} to be compacted to ${expected}`, async () => {
      return offsets(await read(topic, 0, until)).join() === expected.join();
    });
  }

  test('is read with its holes, from and to any offset', async () => {
    await kafka.createTopic('holes', { partitions: 1, config });
    await append('holes', keyed(0, 10, 'old'));
    await append('holes', [...keyed(2, 3, 'new'), ...keyed(7, 2, 'new')]);
    await append('holes', [{ key: 'last', value: 'x' }]);
    const left = [0, 1, 5, 6, 9, 10, 11, 12, 13, 14, 15];
    await cleanedTo('holes', 16, left);
    for (let from = 0; from <= 16; from += 1) {
      for (let until = from; until <= 16; until += 3) {
        const expected = left.filter((offset) => offset >= from && offset < until);
        expect(offsets(await read('holes', from, until)), `[${from}, ${until})`).toEqual(expected);
      }
    }
  });

  test('is read to the end of a batch whose last records are gone', async () => {
    await kafka.createTopic('tail', { partitions: 1, config });
    await append('tail', keyed(0, 100, 'old'));
    await append('tail', keyed(3, 97, 'new'));
    await append('tail', [{ key: 'last', value: 'x' }]);
    const left = [0, 1, 2, ...Array.from({ length: 98 }, (_, index) => 100 + index)];
    await cleanedTo('tail', 198, left);
    expect(offsets(await read('tail', 0, 100))).toEqual([0, 1, 2]);
    expect(await read('tail', 3, 100)).toEqual([]);
    expect(await read('tail', 50, 60)).toEqual([]);
    expect(offsets(await read('tail', 99, 101))).toEqual([100]);
  });

  test('is read past a batch that holds no record any more', async () => {
    await kafka.createTopic('emptied', { partitions: 1, config });
    // The broker keeps the last batch of an idempotent producer, empty, for its sequence number.
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    const idempotent = client.producer({ idempotent: true });
    await idempotent.connect();
    await idempotent.send({
      topic: 'emptied',
      messages: keyed(0, 10, 'old').map((message) => ({ ...message, partition: 0 })),
    });
    await idempotent.disconnect();
    await append('emptied', keyed(0, 10, 'new'));
    await append('emptied', [{ key: 'last', value: 'x' }]);
    const left = Array.from({ length: 11 }, (_, index) => 10 + index);
    await cleanedTo('emptied', 21, left);
    for (const [from, until] of [
      [0, 10],
      [0, 3],
      [4, 9],
      [9, 10],
    ] as const)
      expect(await read('emptied', from, until)).toEqual([]);
    const followed = collect(driver, {
      topic: 'emptied',
      partition: 0,
      topicId: await topicIdOf('emptied'),
      fromOffset: 0n,
    });
    await followed.until((stream) => stream.takenUntil === 21n);
    expect(offsets(followed.records)).toEqual(left);
  });

  test('is read past tombstones that are gone', async () => {
    await kafka.createTopic('tombstones', { partitions: 1, config });
    await append('tombstones', keyed(0, 5, 'old'));
    await append('tombstones', keyed(0, 5, null));
    await append('tombstones', [{ key: 'last', value: 'x' }]);
    await waitUntil('the tombstones to go', async () => {
      // The cleaner lets a tombstone go in a later round than the one that found it.
      await append('tombstones', [{ key: 'last', value: 'x' }]);
      return offsets(await read('tombstones', 0, 10)).length === 0;
    });
    expect(await read('tombstones', 2, 9)).toEqual([]);
  });
});

describe('a broker that is restarted', () => {
  test('in mid-fetch costs nothing but time', async () => {
    await kafka.createTopic('restarted', { partitions: 2 });
    const topicId = await topicIdOf('restarted');
    const value = 'x'.repeat(900);
    const fill = (from: number) => append('restarted', keyed(from, 100, value));
    for (let index = 0; index < 40; index += 1) await fill(index * 100);
    const busy = collect(
      driver,
      { topic: 'restarted', partition: 0, topicId, fromOffset: 0n },
      { fetchBytesMax: 95_000 },
    );
    const idle = collect(driver, { topic: 'restarted', partition: 1, topicId, fromOffset: 0n });
    await busy.until((stream) => stream.takenUntil >= 300n);
    await kafka.restart(async () => {
      await busy.until(({ retrying }) => retrying !== undefined);
      await idle.until(({ retrying }) => retrying !== undefined);
      expect(busy.stream.error).toBeUndefined();
    });
    for (let index = 40; index < 45; index += 1) await fill(index * 100);
    await busy.until((stream) => stream.takenUntil === 4_500n);
    await idle.until(({ retrying }) => retrying === undefined);
    expect(offsets(busy.records)).toEqual(Array.from({ length: 4_500 }, (_, index) => index));
    expect(await driver.bounds([{ topic: 'restarted', partition: 0 }])).toMatchObject([{ highWatermark: 4_500n }]);
  });

  test('begins a new leader epoch, and what was read is checked against the epochs', async () => {
    await kafka.createTopic('epochs', { partitions: 1 });
    const topicId = await topicIdOf('epochs');
    await append('epochs', keyed(0, 10, 'old'));
    const epochOf = async () => (await driver.describeTopics(['epochs']))[0]?.partitions[0]?.leaderEpoch ?? -1;
    const oldEpoch = await epochOf();
    await kafka.restart();
    await waitUntil('the new leader', async () => (await epochOf()) > oldEpoch);
    const newEpoch = await epochOf();
    await append('epochs', keyed(0, 10, 'new'));
    const start = { topic: 'epochs', partition: 0, topicId };

    const ends = await Promise.all(
      [oldEpoch, newEpoch, newEpoch + 1].map(async (leaderEpoch) => {
        return (await driver.endOffsetsForLeaderEpochs([{ topic: 'epochs', partition: 0, leaderEpoch }]))[0];
      }),
    );
    expect(ends).toEqual([
      { leaderEpoch: oldEpoch, endOffset: 10n },
      { leaderEpoch: newEpoch, endOffset: 20n },
      undefined,
    ]);

    // A position at the end of the epoch it was read in, and one inside of its epoch.
    for (const [fromOffset, leaderEpoch] of [
      [10n, oldEpoch],
      [15n, newEpoch],
      [5n, oldEpoch],
    ] as const) {
      const good = collect(driver, { ...start, fromOffset, leaderEpoch });
      await good.until((stream) => stream.takenUntil === 20n);
      expect(good.records.length).toBe(20 - Number(fromOffset));
      expect(good.chunks.at(-1)?.leaderEpoch).toBe(newEpoch);
    }

    // Read up to 15 in the old epoch, which ends at 10: the log was truncated since.
    const truncated = collect(driver, { ...start, fromOffset: 15n, leaderEpoch: oldEpoch });
    await expect(truncated.until(() => false)).rejects.toMatchObject({
      code: 'KAFKA_LOG_TRUNCATED',
      topic: 'epochs',
      partition: 0,
      offset: 15n,
      untilOffset: 10n,
    });
    expect(truncated.records).toEqual([]);

    // An epoch that the leader has never heard of.
    const unknown = collect(driver, { ...start, fromOffset: 15n, leaderEpoch: newEpoch + 3 });
    await expect(unknown.until(() => false)).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', offset: 15n });
  });
});
