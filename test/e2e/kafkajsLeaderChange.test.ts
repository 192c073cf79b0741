import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDriver, type KafkaDriver } from '../../src/kafka/index.ts';
import { encodeRecordBatch } from '../../src/testkit/index.ts';
import { type KafkaService, kafkaService, waitUntil } from '../services/index.ts';
import { type RawProducer, rawProducer } from '../support/rawProducer.ts';
import { collect } from '../support/streams.ts';

describe('a cluster of three', () => {
  let kafka: KafkaService;
  let producer: RawProducer;
  let driver: KafkaDriver;

  beforeAll(async () => {
    kafka = await kafkaService({ owned: true, brokers: 3 });
    producer = await rawProducer(kafka.brokers);
    driver = await createDriver({ brokers: kafka.brokers });
    await driver.connect();
  });
  afterAll(async () => {
    await driver.close();
    producer.close();
    await kafka.stop();
  });

  const partitions = [0, 1, 2];

  async function append(topic: string, partition: number, count: number): Promise<void> {
    const records = Array.from({ length: 10 }, () => ({ value: 'x'.repeat(100) }));
    for (let batch = 0; batch < count / 10; batch += 1) {
      await producer.append(topic, partition, encodeRecordBatch({ baseOffset: 0n, records }));
    }
  }

  async function describeTopic(topic: string) {
    const [description] = await driver.describeTopics([topic]);
    if (description === undefined) throw new Error('no description');
    return description;
  }

  function inOrder(count: number): number[] {
    return Array.from({ length: count }, (_, index) => index);
  }

  async function otherReplica(topic: string, leader: number): Promise<number> {
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.disconnect();
    return topics[0]?.partitions[0]?.replicas.find((id) => id !== leader) ?? 0;
  }

  async function followAll(topic: string) {
    const { topicId } = await describeTopic(topic);
    return partitions.map((partition) =>
      collect(driver, { topic, partition, topicId, fromOffset: 0n }, { fetchBytesMax: 5_000 }),
    );
  }

  test('is read from all its leaders, and on when they move', async () => {
    await kafka.createTopic('moved', { partitions: 3, replicationFactor: 3 });
    for (const partition of partitions) await append('moved', partition, 100);
    const streams = await followAll('moved');
    for (const [partition, { until }] of streams.entries()) {
      await until((stream) => stream.takenUntil === 100n);
      const { leader, leaderEpoch } = (await describeTopic('moved')).partitions[partition] ?? {
        leader: 0,
        leaderEpoch: 0,
      };
      await kafka.moveLeader('moved', partition, (leader % 3) + 1);
      await append('moved', partition, 100);
      await until((stream) => stream.takenUntil === 200n);
      expect((await describeTopic('moved')).partitions[partition]?.leaderEpoch).toBeGreaterThan(leaderEpoch);
    }
    for (const { records, stream } of streams) {
      expect(records.map(({ offset }) => Number(offset))).toEqual(inOrder(200));
      expect(stream.error).toBeUndefined();
    }
    const bounds = await driver.bounds(partitions.map((partition) => ({ topic: 'moved', partition })));
    expect(bounds.map(({ highWatermark }) => highWatermark)).toEqual([200n, 200n, 200n]);
  });

  test('is read on when a broker is killed, and when it comes back', async () => {
    await kafka.createTopic('killed', { partitions: 3, replicationFactor: 3 });
    for (const partition of partitions) await append('killed', partition, 200);
    const victim = (await describeTopic('killed')).partitions[0]?.leader ?? 0;
    const streams = await followAll('killed');
    const [first] = streams;
    await first?.until((stream) => stream.takenUntil >= 50n);
    await kafka.killBroker(victim);
    await waitUntil('another leader', async () => {
      return (await describeTopic('killed')).partitions.every(({ leader }) => leader > 0 && leader !== victim);
    });
    for (const partition of partitions) await append('killed', partition, 100);
    for (const { until } of streams) await until((stream) => stream.takenUntil === 300n);
    expect(await driver.bounds([{ topic: 'killed', partition: 0 }])).toMatchObject([{ highWatermark: 300n }]);
    await kafka.startBroker(victim);
    await kafka.moveLeader('killed', 0, victim);
    await append('killed', 0, 100);
    await first?.until((stream) => stream.takenUntil === 400n);
    for (const [partition, { records, stream }] of streams.entries()) {
      expect(records.map(({ offset }) => Number(offset))).toEqual(inOrder(partition === 0 ? 400 : 300));
      expect(stream.error).toBeUndefined();
      await streams[partition]?.until(({ retrying }) => retrying === undefined);
    }
  });

  test('knows the groups and their offsets, whichever broker keeps them', async () => {
    await kafka.createTopic('groups', { partitions: 1, replicationFactor: 3 });
    const groups = inOrder(8).map((index) => `group-${index}`);
    for (const [index, group] of groups.entries()) {
      const offset = BigInt(index);
      await driver.commitOffsets(group, [{ topic: 'groups', partition: 0, offset, metadata: '' }]);
    }
    const committed = await Promise.all(groups.map((group) => driver.committedOffsets(group, ['groups'])));
    expect(committed.map(([offset]) => Number(offset?.offset))).toEqual(inOrder(8));
    const listed = (await driver.listGroups()).map(({ groupId }) => groupId);
    expect(listed).toEqual(groups);
    for (const group of groups) await driver.deleteOffsets(group, [{ topic: 'groups', partition: 0 }]);
    const left = await Promise.all(groups.map((group) => driver.committedOffsets(group)));
    expect(left.flat()).toEqual([]);
  });

  test('stops where a leader without the newest records took over', async () => {
    const config = { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' };
    await kafka.createTopic('unclean', { partitions: 1, replicationFactor: 2, config });
    await append('unclean', 0, 10);
    const {
      topicId,
      partitions: [before],
    } = await describeTopic('unclean');
    const leader = before?.leader ?? 0;
    const follower = await otherReplica('unclean', leader);
    const read = collect(driver, { topic: 'unclean', partition: 0, topicId, fromOffset: 0n });
    await read.until((stream) => stream.takenUntil === 10n);

    // The leader alone accepts ten more; then it is gone, and the other one goes on without them.
    await kafka.killBroker(follower);
    await append('unclean', 0, 10);
    await read.until((stream) => stream.takenUntil === 20n);
    await kafka.killBroker(leader);
    await kafka.startBroker(follower);
    await waitUntil(
      'the other leader',
      async () => (await describeTopic('unclean')).partitions[0]?.leader === follower,
    );
    await append('unclean', 0, 40);

    await expect(read.until(() => false)).rejects.toMatchObject({
      code: 'KAFKA_LOG_TRUNCATED',
      topic: 'unclean',
      partition: 0,
      offset: 20n,
      untilOffset: 10n,
    });
    expect(read.records.length).toBe(20);
    await kafka.startBroker(leader);
  });
});
