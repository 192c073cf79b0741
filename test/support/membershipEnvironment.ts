import { Kafka, logLevel } from 'kafkajs';
import { createDriver, type KafkaClientOptions, type MembershipCapabilities } from '../../src/kafka/index.ts';
import type { MembershipEnvironment } from '../../src/testkit/index.ts';
import { topicPrefix, waitUntil } from '../services/index.ts';
import { kafkaAdmin } from '../services/kafka/admin.ts';
import { viewOf } from '../services/kafka/wire.ts';
import { type IsolatingProxy, isolatingProxy } from './isolatingProxy.ts';

/** A real cluster as the conformance suite of memberships wants it: every process has a way to it of its own. */
export interface RealMembershipEnvironment extends MembershipEnvironment {
  close(): Promise<void>;
}

export async function membershipEnvironment(
  brokers: readonly string[],
  driver: NonNullable<KafkaClientOptions['driver']>,
  capabilities: MembershipCapabilities,
  options: MembershipEnvironment['options'],
): Promise<RealMembershipEnvironment> {
  const proxies: IsolatingProxy[] = [];
  const foreign: (() => Promise<void>)[] = [];
  const topics = kafkaAdmin(brokers);
  const kafka = new Kafka({ clientId: 'tidemark-test', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  return {
    capabilities,
    options,
    newProcess: async () => {
      const proxy = await isolatingProxy(brokers);
      proxies.push(proxy);
      const connected = await createDriver({ driver, brokers: proxy.brokers });
      await connected.connect();
      return { driver: connected, isolate: () => proxy.isolate(), heal: () => proxy.heal() };
    },
    createTopic: (topic, partitions) => topics.createTopic(topic, { partitions }),
    addPartitions: async (topic, total) => {
      await admin.createPartitions({ topicPartitions: [{ topic, count: total }] });
      await waitUntil(`${total} partitions of ${topic}`, async () => {
        const views = await Promise.all(brokers.map((broker) => viewOf(broker, topic)));
        return views.every(({ partitions }) => partitions?.length === total);
      });
    },
    newPrefix: topicPrefix,
    joinForeign: async (groupId, topic) => {
      // The round robin of kafkajs' own consumer is a strategy that nobody shares with us.
      const consumer = kafka.consumer({ groupId });
      await consumer.connect();
      await consumer.subscribe({ topic });
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.run({ eachMessage: async () => {} });
      await joined;
      foreign.push(() => consumer.disconnect());
    },
    close: async () => {
      await Promise.all(foreign.map((end) => end()));
      await admin.disconnect();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}
