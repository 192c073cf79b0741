import { type Admin, type ITopicMetadata, Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KafkaSecurity, type KafkaService, kafkaService, topicPrefix, waitUntil } from '../services/index.ts';

type ClientOptions = Omit<KafkaConfig, 'brokers'> & { readonly brokers: readonly string[] };

function client(options: ClientOptions): Kafka {
  return new Kafka({ logLevel: logLevel.NOTHING, retry: { retries: 1 }, ...options, brokers: [...options.brokers] });
}

async function withAdmin<T>(options: ClientOptions, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client(options).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

async function highWatermark(brokers: readonly string[], topic: string): Promise<string | undefined> {
  return withAdmin({ brokers }, async (admin) => (await admin.fetchTopicOffsets(topic))[0]?.high);
}

async function produce(brokers: readonly string[], topic: string, values: string[]): Promise<void> {
  const producer = client({ brokers, retry: { retries: 8 } }).producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ key: value, value, partition: 0 })) });
  await producer.disconnect();
}

describe('an owned broker', () => {
  let kafka: KafkaService;
  const topic = `${topicPrefix()}kept`;

  beforeAll(async () => {
    kafka = await kafkaService({ owned: true, proxied: true, config: { 'message.max.bytes': '2222222' } });
    await kafka.createTopic(topic, { partitions: 1, config: { 'cleanup.policy': 'compact' } });
    await produce(kafka.brokers, topic, ['a', 'b']);
  });
  afterAll(() => kafka.stop());

  test('is not the shared one', async () => {
    expect((await kafkaService()).brokers).not.toEqual(kafka.brokers);
  });

  test('has the settings that were asked for, of the broker and of the topic', async () => {
    const described = await withAdmin({ brokers: kafka.brokers }, (admin) =>
      admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic }] }),
    );
    const entries = described.resources[0]?.configEntries ?? [];
    const value = (name: string) => entries.find((entry) => entry.configName === name)?.configValue;
    expect(value('cleanup.policy')).toBe('compact');
    expect(value('max.message.bytes')).toBe('2222222');
  });

  test('is reached through its proxy by clients of the proxied addresses only', async () => {
    const [proxy] = kafka.proxies;
    expect(proxy?.connections).toBe(0);
    expect(await highWatermark(kafka.proxiedBrokers, topic)).toBe('2');
    await proxy?.refuse(true);
    await expect(highWatermark(kafka.proxiedBrokers, topic)).rejects.toThrow();
    expect(await highWatermark(kafka.brokers, topic)).toBe('2');
  });

  test('keeps address and records over a restart, and is down while it says so', async () => {
    let refused: unknown;
    await kafka.restart(async () => {
      refused = await highWatermark(kafka.brokers, topic).catch((error: Error) => error.name);
    });
    expect(refused).toMatch(/^Kafka/);
    expect(await highWatermark(kafka.brokers, topic)).toBe('2');
  });

  test('keeps its records over SIGKILL', async () => {
    await produce(kafka.brokers, topic, ['c']);
    await kafka.killBroker(1);
    await expect(highWatermark(kafka.brokers, topic)).rejects.toThrow();
    await kafka.startBroker(1);
    await expect(kafka.startBroker(1)).rejects.toThrow('broker 1 is running');
    expect(await waitUntil('the leader', () => highWatermark(kafka.brokers, topic))).toBe('3');
  });
});

describe('an owned cluster of three', () => {
  let kafka: KafkaService;
  const topic = `${topicPrefix()}led`;

  beforeAll(async () => {
    kafka = await kafkaService({ owned: true, brokers: 3 });
    await kafka.createTopic(topic, { partitions: 2, replicationFactor: 3 });
  });
  afterAll(() => kafka.stop());

  async function partition(id: number): Promise<ITopicMetadata['partitions'][number]> {
    const { topics } = await withAdmin({ brokers: kafka.brokers }, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    const found = topics[0]?.partitions.find((one) => one.partitionId === id);
    if (found === undefined) throw new Error(`no partition ${id}`);
    return found;
  }

  test('moves a leader to any broker, and only that one', async () => {
    const other = (await partition(1)).leader;
    for (const broker of [1, 2, 3]) {
      await kafka.moveLeader(topic, 0, broker);
      expect((await partition(0)).leader).toBe(broker);
    }
    expect((await partition(1)).leader).toBe(other);
    expect((await partition(0)).replicas).toHaveLength(3);
  });

  test('moves the only replica of a partition to another broker', async () => {
    const single = `${topicPrefix()}single`;
    await kafka.createTopic(single, { partitions: 1 });
    await produce(kafka.brokers, single, ['a']);
    for (const broker of [2, 3]) await kafka.moveLeader(single, 0, broker);
    expect(await highWatermark(kafka.brokers, single)).toBe('1');
  });

  test('elects another leader when one is killed, and takes the killed one back', async () => {
    await kafka.moveLeader(topic, 0, 2);
    await kafka.killBroker(2);
    const survivor = await waitUntil('another leader', async () => {
      const { leader } = await partition(0);
      return leader > 0 && leader !== 2 ? leader : undefined;
    });
    expect([1, 3]).toContain(survivor);
    await kafka.startBroker(2);
    await waitUntil('all replicas in sync', async () => (await partition(0)).isr.length === 3);
  });
});

describe('a secured broker', () => {
  let kafka: KafkaService;
  let security: KafkaSecurity;

  beforeAll(async () => {
    kafka = await kafkaService({ owned: true, listeners: 'secured' });
    if (kafka.security === undefined) throw new Error('a secured broker has no security');
    security = kafka.security;
  });
  afterAll(() => kafka.stop());

  function sasl(name: string, user: { username: string; password: string }): SASLOptions {
    if (name !== 'oauthbearer') return { mechanism: name as 'plain', ...user };
    return { mechanism: name, oauthBearerProvider: async () => ({ value: security.token(user.username) }) };
  }

  function createsTopic(broker: string, options: Omit<KafkaConfig, 'brokers'>): Promise<boolean> {
    const topic = `${topicPrefix()}secured`;
    return withAdmin({ brokers: [broker], ...options }, (admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false }),
    );
  }

  const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'];

  test.each(mechanisms)('lets a user in by %s, with TLS and without', async (mechanism) => {
    const identity = sasl(mechanism, security.powerful);
    expect(await createsTopic(security.saslPlaintext, { sasl: identity })).toBe(true);
    expect(await createsTopic(security.saslSsl, { sasl: identity, ssl: { ca: [security.ca] } })).toBe(true);
  });

  test.each(mechanisms)('gives a powerless user of %s no rights', async (mechanism) => {
    const identity = sasl(mechanism, security.powerless);
    await expect(createsTopic(security.saslPlaintext, { sasl: identity })).rejects.toMatchObject({
      errors: [{ type: 'TOPIC_AUTHORIZATION_FAILED' }],
    });
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])('refuses a wrong password by %s', async (mechanism) => {
    const identity = sasl(mechanism, { ...security.powerful, password: 'wrong' });
    await expect(createsTopic(security.saslPlaintext, { sasl: identity })).rejects.toThrow(/authentication/i);
  });

  test('refuses an expired token', async () => {
    const oauthBearerProvider = async () => ({ value: security.token('alice', -60) });
    const identity: SASLOptions = { mechanism: 'oauthbearer', oauthBearerProvider };
    // kafkajs reads the broker's reason and sees the connection close, whichever comes first.
    await expect(createsTopic(security.saslPlaintext, { sasl: identity })).rejects.toThrow(/authentication|closed/i);
  });

  test('shows a certificate that only its own authority vouches for', async () => {
    expect(await createsTopic(security.ssl, { ssl: { ca: [security.ca] } })).toBe(true);
    await expect(createsTopic(security.ssl, { ssl: true })).rejects.toThrow(/self.signed/i);
  });
});
