import assert from 'node:assert/strict';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, describe, expect, test } from 'vitest';
import {
  createDriver,
  type GroupMembership,
  type KafkaClientOptions,
  type MembershipOptions,
} from '../../src/kafka/index.ts';
import { type MemberProcess, membershipConformance } from '../../src/testkit/index.ts';
import { kafkaService, topicPrefix, waitUntil } from '../services/index.ts';
import { joinAsConsumerGroup } from '../support/consumerGroupMember.ts';
import { membershipEnvironment } from '../support/membershipEnvironment.ts';

const kafka = await kafkaService({ owned: true, listeners: 'secured' });
const environment = await membershipEnvironment(
  kafka.brokers,
  'kafkajs',
  { protocols: ['eager'], staticMembership: false, awaitsRevocation: false },
  { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 200, metadataRefreshMs: 500 },
);

afterAll(async () => {
  await environment.close();
  await kafka.stop();
});

describe('memberships of the kafkajs driver', () => {
  // Most of a test is waiting for the group, and no test looks at the group of another.
  membershipConformance({ test: test.concurrent, assert, environment });
});

/** A member that writes down what it hears. */
function listen({ driver }: Pick<MemberProcess, 'driver'>, options: MembershipOptions) {
  const heard: string[] = [];
  const losses: { unconfirmedMs: number | undefined; blockedMs: number; foreignCode: string | undefined }[] = [];
  const membership: GroupMembership = driver.openMembership(
    { ...environment.options, ...options },
    {
      assigned: (partitions) => heard.push(`assigned ${partitions.length}`),
      revoked: async (partitions) => {
        heard.push(`revoked ${partitions.length}`);
      },
      lost: (partitions, { error, unconfirmedMs, blockedMs }) => {
        heard.push(`lost ${partitions.length}`);
        losses.push({ unconfirmedMs, blockedMs, foreignCode: error.foreignCode });
      },
      failing: (error) => heard.push(`failing ${error === undefined ? 'no more' : error.code}`),
      failed: (error) => heard.push(`failed ${error.code}`),
    },
  );
  return { membership, heard, losses };
}

async function newTopic(partitions: number): Promise<string> {
  const topic = `${topicPrefix()}topic`;
  await environment.createTopic(topic, partitions);
  return topic;
}

describe('a membership by the eager protocol', () => {
  test('is lost when the event loop stands still past the session, and says so', async () => {
    const topic = await newTopic(2);
    const process = await environment.newProcess();
    const member = listen(process, { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 2_000 });
    await member.membership.join();
    const before = member.membership.member?.memberId;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
    await waitUntil('both partitions again', () => member.heard.filter((call) => call === 'assigned 2').length === 2);
    const partitions = member.heard.filter((call) => !call.startsWith('failing'));
    expect(partitions.slice(0, 3)).toEqual(['assigned 2', 'lost 2', 'assigned 2']);
    expect(member.losses[0]?.blockedMs).toBeGreaterThanOrEqual(3_500);
    expect(member.losses[0]?.unconfirmedMs).toBeGreaterThanOrEqual(3_500);
    expect(member.membership.member?.memberId).not.toBe(before);
    await member.membership.leave();
  });

  test('confirms and commits by what the coordinator knows, not by what it remembers', async () => {
    const topic = await newTopic(2);
    const options = { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 2_000 };
    // Without a heartbeat it is put out, and does not hear of it.
    const asleep = listen(await environment.newProcess(), { ...options, heartbeatIntervalMs: 600_000 });
    await asleep.membership.join();
    const awakeProcess = await environment.newProcess();
    const awake = listen(awakeProcess, options);
    await awake.membership.join();
    await waitUntil('both partitions', async () => (await awake.membership.confirm()).length === 2);
    expect(asleep.membership.assignment.length).toBe(2);
    // It still believes to have both, so it asks: the coordinator refuses.
    await awake.membership.commitOffsets([{ topic, partition: 0, offset: 5n, metadata: 'awake' }]);
    await expect(
      asleep.membership.commitOffsets([{ topic, partition: 0, offset: 4n, metadata: 'asleep' }]),
    ).rejects.toMatchObject({ code: 'GROUP_MEMBERSHIP_LOST', foreignCode: 'UNKNOWN_MEMBER_ID', retriable: true });
    expect(await awakeProcess.driver.committedOffsets(topic, [topic])).toEqual([
      { topic, partition: 0, offset: 5n, metadata: 'awake' },
    ]);
    await expect(asleep.membership.confirm()).rejects.toMatchObject({ code: 'GROUP_MEMBERSHIP_LOST' });
    // Being asked is what makes it look.
    await waitUntil('the loss', () => asleep.heard.includes('lost 2'));
    await Promise.all([asleep, awake].map(({ membership }) => membership.leave()));
  });

  test('is lost after a session without an answer, before any coordinator could say so', async () => {
    const topic = await newTopic(2);
    const process = await environment.newProcess();
    const member = listen(process, { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 4_000 });
    await member.membership.join();
    process.isolate();
    await waitUntil('the loss', () => member.losses.length > 0);
    expect(member.heard).toContain('lost 2');
    expect(member.losses[0]?.unconfirmedMs).toBeGreaterThanOrEqual(4_000);
    expect(member.losses[0]?.foreignCode).toBe('REQUEST_TIMED_OUT');
    await expect(member.membership.confirm()).rejects.toMatchObject({ code: 'GROUP_MEMBERSHIP_LOST' });
    process.heal();
    await waitUntil('both partitions again', () => member.membership.assignment.length === 2);
    await waitUntil('all is well', () => member.heard.includes('failing no more'));
    expect(member.heard).toContain('failing KAFKA_CONNECTION_LOST');
    await member.membership.leave();
  });

  test('survives a restart of the coordinator within its session, and the listener hears of no partition', async () => {
    const topic = await newTopic(4);
    const options = { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 120_000 };
    const drivers = await Promise.all([newDriver(), newDriver()]);
    const members = drivers.map((driver) => listen({ driver }, options));
    for (const { membership } of members) await membership.join();
    const [first, second] = members;
    await waitUntil('shares', () => members.every(({ membership }) => membership.assignment.length === 2));
    const before = members.map(({ membership }) => membership.member);
    await kafka.restart();
    await waitUntil('the coordinator to confirm', async () => {
      const counts = await Promise.all(members.map(({ membership }) => membership.confirm()));
      return counts.every(({ length }) => length === 2);
    });
    expect(members.map(({ membership }) => membership.member)).toEqual(before);
    expect(first?.heard.filter((call) => !call.startsWith('failing'))).toEqual(['assigned 4', 'revoked 2']);
    expect(second?.heard.filter((call) => !call.startsWith('failing'))).toEqual(['assigned 2']);
    await Promise.all(members.map(({ membership }) => membership.leave()));
    await Promise.all(drivers.map((driver) => driver.close()));
  }, 150_000);

  test('stays the same member when its topics grow, and commits nothing', async () => {
    const prefix = topicPrefix();
    await environment.createTopic(`${prefix}1`, 1);
    const process = await environment.newProcess();
    const member = listen(process, { groupId: prefix, subscription: { pattern: `${prefix}.*` } });
    await member.membership.join();
    const before = member.membership.member;
    await environment.createTopic(`${prefix}2`, 2);
    await waitUntil('three partitions', () => member.membership.assignment.length === 3);
    expect(member.membership.member?.memberId).toBe(before?.memberId);
    expect(member.heard).toEqual(['assigned 1', 'assigned 2']);
    expect(await process.driver.committedOffsets(prefix, [`${prefix}1`, `${prefix}2`])).toEqual([]);
    await member.membership.leave();
  });

  test('is left at once while a join waits for a member that does not answer', async () => {
    const topic = await newTopic(2);
    const options = { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 30_000 };
    const silent = await environment.newProcess();
    const holds = listen(silent, options);
    await holds.membership.join();
    silent.isolate();
    const waits = listen(await environment.newProcess(), options);
    const joining = waits.membership.join().catch((error: { code?: string }) => error.code);
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await waitUntil('the group to wait', async () => {
      const { groups } = await admin.describeGroups([topic]);
      return groups[0]?.state === 'PreparingRebalance' && groups[0].members.length === 2;
    });
    const startMs = performance.now();
    await waits.membership.leave();
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(await joining).toBe('KAFKA_CLOSED');
    silent.heal();
    await waitUntil('the first member alone', async () => (await holds.membership.confirm()).length === 2);
    expect(holds.losses).toEqual([]);
    await holds.membership.leave();
    await admin.disconnect();
  });

  test('leaves no connection behind', async () => {
    const topic = await newTopic(1);
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
    const before = sockets();
    const driver = await newDriver();
    const member = listen({ driver }, { groupId: topic, subscription: { topics: [topic] } });
    await member.membership.join();
    await member.membership.leave();
    await driver.close();
    await waitUntil('the sockets to close', () => sockets() <= before);
  });

  test('is refused by a group of the new protocol, and leaves it as it was', async () => {
    const topic = await newTopic(1);
    const first = await joinAsConsumerGroup(kafka.brokers[0] ?? '', topic, topic);
    const driver = await newDriver();
    const member = listen({ driver }, { groupId: topic, subscription: { topics: [topic] } });
    await expect(member.membership.join()).rejects.toMatchObject({ code: 'GROUP_PROTOCOL_CONFLICT' });
    await member.membership.leave();
    expect(member.heard).toEqual([]);
    await Promise.all([driver.close(), first.leave()]);
  });

  test('with a session the broker does not allow is an error of the option', async () => {
    const topic = await newTopic(1);
    const driver = await newDriver();
    const options = { groupId: topic, subscription: { topics: [topic] }, sessionTimeoutMs: 10 };
    await expect(listen({ driver }, options).membership.join()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      path: 'source.group.sessionTimeoutMs',
    });
    await driver.close();
  });

  test('goes over TLS and SASL, and rights it lacks are an error of join()', async () => {
    const topic = await newTopic(1);
    const security = kafka.security;
    if (security === undefined) throw new Error('the broker has no secured listeners');
    const as = (user: { username: string; password: string }) =>
      newDriver({
        brokers: [security.saslSsl],
        ssl: { ca: security.ca },
        sasl: { mechanism: 'scram-sha-512', ...user },
      });
    const [powerful, powerless] = await Promise.all([as(security.powerful), as(security.powerless)]);
    const member = listen({ driver: powerful }, { groupId: topic, subscription: { topics: [topic] } });
    await member.membership.join();
    expect((await member.membership.confirm()).length).toBe(1);
    for (const subscription of [{ topics: [topic] }, { pattern: `${topic}.*` }]) {
      const refused = listen({ driver: powerless }, { groupId: topic, subscription });
      await expect(refused.membership.join()).rejects.toMatchObject({ code: 'KAFKA_AUTHORIZATION_FAILED' });
      expect(refused.heard).toEqual([]);
    }
    await member.membership.leave();
    await Promise.all([powerful.close(), powerless.close()]);
  });
});

async function newDriver(options: KafkaClientOptions = { brokers: kafka.brokers }) {
  const driver = await createDriver(options);
  await driver.connect();
  return driver;
}
