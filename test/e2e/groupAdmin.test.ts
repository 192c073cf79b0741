import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import { createDriver, type KafkaClientOptions, type KafkaDriver } from '../../src/kafka/index.ts';
import { kafkaService, waitUntil } from '../services/index.ts';
import { provideConfluent } from '../support/confluentFolder.ts';
import { joinAsConsumerGroup } from '../support/consumerGroupMember.ts';
import { meddlingProxy } from '../support/meddlingProxy.ts';

const kafka = await kafkaService({ owned: true });
const broker = kafka.brokers[0] ?? '';
await Promise.all(['orders', 'other'].map((topic) => kafka.createTopic(topic, { partitions: 2 })));
const drivers: KafkaDriver[] = [];

afterAll(async () => {
  await Promise.all(drivers.map((driver) => driver.close()));
  await kafka.stop();
});

async function connected(options: Partial<KafkaClientOptions> = {}): Promise<KafkaDriver> {
  const driver = await createDriver({ brokers: kafka.brokers, ...options });
  drivers.push(driver);
  await driver.connect();
  return driver;
}

async function joinClassic(driver: KafkaDriver, groupId: string): Promise<{ leave(): Promise<void> }> {
  const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
  const member = driver.openMembership({ groupId, subscription: { topics: ['orders'] } }, listener);
  await member.join();
  return member;
}

/** Runs `kafka-consumer-groups` and gives the words of its lines. */
async function consumerGroups(...args: readonly string[]): Promise<string[][]> {
  const command = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
  const text = await kafka.runTool(command, ['--bootstrap-server', kafka.brokers.join(','), ...args]);
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(({ length }) => length > 1);
}

test("says of groups what Kafka's own tool says", async () => {
  const driver = await connected();
  for (const [groupId, offset] of [
    ['classic', 11n],
    ['new', 22n],
    ['outside', 33n],
  ] as const) {
    const offsets = [
      { topic: 'orders', partition: 1, offset, metadata: '' },
      { topic: 'other', partition: 0, offset: offset + 1n, metadata: '' },
    ];
    await driver.commitOffsets(groupId, offsets);
  }
  const members = [await joinClassic(driver, 'classic'), await joinAsConsumerGroup(broker, 'new', 'orders')];
  await waitUntil('the members to have what they get', async () => {
    const all = await Promise.all(['classic', 'new'].map((groupId) => driver.describeGroup(groupId)));
    return all.every((group) => group.state === 'Stable' && group.members[0]?.assignment.length === 2);
  });

  const groups = ['--group', 'classic', '--group', 'new', '--group', 'outside'];
  const [listed, offsets, described] = await Promise.all([
    consumerGroups('--list', '--state'),
    consumerGroups('--describe', '--offsets', ...groups),
    consumerGroups('--describe', '--members', '--verbose', ...groups.slice(0, 4)),
  ]);

  const ours = await driver.listGroups();
  expect(listed.slice(1).sort()).toEqual(ours.map(({ groupId, state }) => [groupId, state]));
  expect(ours.map(({ protocol }) => protocol)).toEqual(['classic', 'consumer', 'classic']);

  const committed = await Promise.all(
    ours.map(async ({ groupId }) =>
      (await driver.committedOffsets(groupId)).map(({ topic, partition, offset }) => {
        return [groupId, topic, String(partition), String(offset)];
      }),
    ),
  );
  // Of partitions without an offset the tool writes "-".
  const told = offsets.filter(
    ([group = '', , , offset]) => ours.some(({ groupId }) => groupId === group) && offset !== '-',
  );
  expect(told.map((words) => words.slice(0, 4)).sort()).toEqual(committed.flat().sort());

  for (const groupId of ['classic', 'new']) {
    const [member] = (await driver.describeGroup(groupId)).members;
    const line = described.find(([group]) => group === groupId) ?? [];
    expect(line).toEqual(expect.arrayContaining([member?.memberId, member?.clientId, member?.clientHost]));
    expect(line.join(' ')).toMatch(/orders\W*0,1/);
  }
  await Promise.all(members.map((member) => member.leave()));
});

const clients: KafkaClientOptions['driver'][] = provideConfluent() ? ['kafkajs', 'confluent'] : ['kafkajs'];
test.each(clients)('a transaction that does not end makes the reading of its offsets fail, %s', async (client) => {
  const driver = await connected({ driver: client, requestTimeoutMs: 500 });
  const producer = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).producer({
    ...{ transactionalId: `hanging-${client}`, idempotent: true, maxInFlightRequests: 1 },
  });
  await producer.connect();
  const transaction = await producer.transaction();
  const groupId = `hanging-${client}`;
  const topics = [{ topic: 'orders', partitions: [{ partition: 0, offset: '7' }] }];
  await transaction.sendOffsets({ consumerGroupId: groupId, topics });
  for (const asked of [undefined, ['orders']]) {
    const failure = { code: 'KAFKA_REQUEST_FAILED', foreignCode: 'UNSTABLE_OFFSET_COMMIT', retriable: true };
    await expect(driver.committedOffsets(groupId, asked)).rejects.toMatchObject(failure);
  }
  expect(await driver.committedOffsets(groupId, ['other'])).toEqual([]);
  await transaction.abort();
  expect(await driver.committedOffsets(groupId)).toEqual([]);
  await producer.disconnect();
});

describe('a broker without an API', () => {
  /** A driver that is told of the broker's APIs, but for one: its number, or its newest version, is another one. */
  async function without(api: Buffer, instead: Buffer) {
    const proxy = await meddlingProxy(broker);
    let met = 0;
    proxy.meddle = (data) => {
      const at = data.indexOf(api);
      if (at < 0) return data;
      met += 1;
      return Buffer.concat([data.subarray(0, at), instead, data.subarray(at + api.length)]);
    };
    const driver = await connected({ brokers: [proxy.address] });
    expect(met).toBe(1);
    proxy.meddle = (data) => data;
    return { driver, proxy };
  }

  test('of the new protocol has groups of the classic one, and the connection stays', async () => {
    const consumerGroupDescribe = Buffer.from('00450000000100', 'hex');
    const { driver, proxy } = await without(consumerGroupDescribe, Buffer.from('7f450000000100', 'hex'));
    await driver.commitOffsets('kept', [{ topic: 'orders', partition: 0, offset: 1n, metadata: '' }]);
    expect(await driver.describeGroup('kept')).toMatchObject({ protocol: 'classic', state: 'Empty' });
    expect(await driver.describeGroup('nobody')).toMatchObject({ protocol: 'classic', state: 'Dead' });
    await driver.close();
    await proxy.close();
  });

  test('that tells the type of a group lists all as classic', async () => {
    const { driver, proxy } = await without(Buffer.from('00100000000500', 'hex'), Buffer.from('00100000000400', 'hex'));
    await driver.commitOffsets('old', [{ topic: 'orders', partition: 0, offset: 1n, metadata: '' }]);
    expect(await driver.listGroups()).toContainEqual({ groupId: 'old', protocol: 'classic', state: 'Empty' });
    await driver.close();
    await proxy.close();
  });
});
