/** What tests do to a cluster from outside: topics and leaders. Every call opens and closes its own connections. */
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { waitUntil } from '../waiting.ts';
import { type ClusterView, electPreferredLeader, viewOf } from './wire.ts';

export interface TopicOptions {
  readonly partitions: number;
  /** Default 1. */
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** Each call resolves when every live broker sees what it did. */
export interface KafkaAdmin {
  createTopic(name: string, options: TopicOptions): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** Makes a broker the first replica of a partition and its leader. */
  moveLeader(topic: string, partition: number, toBroker: number): Promise<void>;
}

export function kafkaAdmin(brokers: readonly string[]): KafkaAdmin {
  return {
    createTopic: async (name, options) => {
      // kafkajs' own waiting fails when the broker that it asks has not heard of the topic yet.
      const topics = { topics: [topicConfig(name, options)], waitForLeaders: false };
      const created = await withAdmin(brokers, (admin) => admin.createTopics(topics));
      if (!created) throw new Error(`topic ${name} exists already`);
      await waitUntil(`leaders of ${name}`, () =>
        everyBrokerSees(brokers, name, ({ partitions }) => partitions?.every(({ leader }) => leader >= 0) === true),
      );
    },
    deleteTopic: async (name) => {
      await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [name] }));
      await waitUntil(`the end of topic ${name}`, () =>
        everyBrokerSees(brokers, name, ({ partitions }) => partitions === undefined),
      );
    },
    moveLeader: (topic, partition, toBroker) => moveLeader(brokers, topic, partition, toBroker),
  };
}

function topicConfig(topic: string, options: TopicOptions) {
  return {
    topic,
    numPartitions: options.partitions,
    replicationFactor: options.replicationFactor ?? 1,
    configEntries: Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value })),
  };
}

async function moveLeader(
  brokers: readonly string[],
  topic: string,
  partition: number,
  toBroker: number,
): Promise<void> {
  const view = await viewOfAny(brokers, topic);
  const before = view.partitions?.[partition];
  if (before === undefined) throw new Error(`${topic}-${partition} does not exist`);
  const others = before.replicas.filter((id) => id !== toBroker);
  // A broker that holds no replica yet takes the leader's place, so the number of replicas stays.
  const kept = before.replicas.includes(toBroker) ? others : others.filter((id) => id !== before.leader);
  const replicas = [toBroker, ...kept];
  const partitionAssignment = [{ partition, replicas }];
  await withAdmin(brokers, (admin) => admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] }));
  await waitUntil(`replicas ${replicas} of ${topic}-${partition}`, () =>
    everyBrokerSees(brokers, topic, ({ partitions }) => {
      const now = partitions?.[partition];
      return now?.replicas.join() === replicas.join() && now.isr.includes(toBroker);
    }),
  );
  await electPreferredLeader(view.brokers[0]?.address ?? '', topic, partition);
  await waitUntil(`broker ${toBroker} to lead ${topic}-${partition}`, () =>
    everyBrokerSees(brokers, topic, ({ partitions }) => partitions?.[partition]?.leader === toBroker),
  );
}

async function everyBrokerSees(
  brokers: readonly string[],
  topic: string,
  holds: (view: ClusterView) => boolean,
): Promise<boolean> {
  const { brokers: live } = await viewOfAny(brokers, topic);
  const views = await Promise.all(live.map(({ address }) => viewOf(address, topic)));
  return views.every(holds);
}

/** What the first broker that answers sees. */
export async function viewOfAny(brokers: readonly string[], topic?: string): Promise<ClusterView> {
  return Promise.any(brokers.map((broker) => viewOf(broker, topic))).catch((error: AggregateError) => {
    throw error.errors[0];
  });
}

async function withAdmin<T>(brokers: readonly string[], use: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({
    clientId: 'tidemark-test-admin',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    retry: { initialRetryTime: 50, retries: 5 },
  });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await use(admin);
  } catch (error) {
    throw spokenOut(error);
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs hides what the broker said about a topic in a list behind the message. */
function spokenOut(error: unknown): unknown {
  const inner = (error as { errors?: { message: string; topic?: string }[] }).errors;
  if (inner === undefined) return error;
  return new Error(inner.map(({ topic, message }) => `${topic}: ${message}`).join('; '), { cause: error });
}
