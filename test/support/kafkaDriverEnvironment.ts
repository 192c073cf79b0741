import { type Admin, Kafka, logLevel, type Message } from 'kafkajs';
import { createDriver, type KafkaClientOptions, type KafkaDriver } from '../../src/kafka/index.ts';
import {
  type DriverEnvironment,
  encodeRecordBatch,
  type OpenTransaction,
  type ProducedRecord,
} from '../../src/testkit/index.ts';
import { topicPrefix, waitUntil } from '../services/index.ts';
import { kafkaAdmin } from '../services/kafka/admin.ts';
import { joinAsConsumerGroup } from './consumerGroupMember.ts';
import { rawProducer } from './rawProducer.ts';

/** A real cluster as the conformance suite of drivers wants it, with kafkajs on the writing side. */
export interface KafkaDriverEnvironment extends DriverEnvironment {
  readonly admin: Admin;
  close(): Promise<void>;
}

export async function kafkaDriverEnvironment(
  brokers: readonly string[],
  clientOptions: Partial<KafkaClientOptions> = {},
): Promise<KafkaDriverEnvironment> {
  const kafka = new Kafka({ clientId: 'tidemark-test', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const topics = kafkaAdmin(brokers);
  const prefix = topicPrefix();
  const admin = kafka.admin();
  const watcher = await createDriver({ brokers });
  const [raw] = await Promise.all([rawProducer(brokers), admin.connect(), watcher.connect()]);
  const drivers: KafkaDriver[] = [];
  let names = 0;
  return {
    admin,
    newDriver: async () => {
      const driver = await createDriver({ ...clientOptions, brokers });
      drivers.push(driver);
      return driver;
    },
    createTopic: async ({ partitions = 1, config = {} } = {}) => {
      names += 1;
      const topic = `${prefix}${names}`;
      await topics.createTopic(topic, { partitions, config });
      return topic;
    },
    deleteTopic: (topic) => topics.deleteTopic(topic),
    recreateTopic: (topic) => topics.createTopic(topic, { partitions: 1 }),
    produce: (topic, partition, records) => {
      const baseTimestamp = records[0]?.timestamp ?? Date.now();
      return raw.append(topic, partition, encodeRecordBatch({ baseOffset: 0n, baseTimestamp, records }));
    },
    append: (topic, partition, batch) => raw.append(topic, partition, batch),
    beginTransaction: () => beginTransaction(kafka, watcher),
    deleteRecords: async (topic, partition, before) => {
      // kafkajs deletes records of topics only that it has met.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] });
    },
    joinNewProtocol: (groupId, topic) => joinAsConsumerGroup(brokers[0] ?? '', groupId, topic),
    close: async () => {
      await Promise.all([...drivers, watcher].map((driver) => driver.close()));
      raw.close();
      await admin.disconnect();
    },
  };
}

let transactions = 0;

/** A producer and one transaction of it. EndTxn is answered before the markers are written: the outcome waits for them. */
async function beginTransaction(kafka: Kafka, watcher: KafkaDriver): Promise<OpenTransaction> {
  transactions += 1;
  const transactionalId = `${topicPrefix()}transaction-${transactions}`;
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  const written = new Map<string, { topic: string; partition: number }>();
  const end = async (ending: () => Promise<void>) => {
    const partitions = [...written.values()];
    const before = await watcher.bounds(partitions);
    await ending();
    await waitUntil('the markers of the transaction', async () => {
      const now = await watcher.bounds(partitions);
      return now.every((bounds, index) => bounds.highWatermark > (before[index]?.highWatermark ?? 0n));
    });
    await producer.disconnect();
  };
  return {
    send: async (topic, partition, records) => {
      written.set(`${topic}:${partition}`, { topic, partition });
      const [sent] = await transaction.send({ topic, messages: records.map((record) => message(record, partition)) });
      return BigInt(sent?.baseOffset ?? -1);
    },
    sendOffsets: (consumerGroupId, offsets) => {
      const topics = offsets.map(({ topic, partition, offset, metadata }) => {
        return { topic, partitions: [{ partition, offset: String(offset), metadata }] };
      });
      return transaction.sendOffsets({ consumerGroupId, topics });
    },
    commit: () => end(() => transaction.commit()),
    abort: () => end(() => transaction.abort()),
  };
}

function message({ key, value, timestamp }: ProducedRecord, partition: number): Message {
  return { key: key ?? null, value, partition, ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }) };
}
