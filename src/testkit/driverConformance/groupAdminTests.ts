import type { CommittedOffset, CoordinatedBy, GroupDescription, KafkaDriver } from '../../kafka/index.ts';
import { eventually } from '../eventually.ts';
import { rejection, withScene } from './helpers.ts';
import type { DriverSuite } from './suite.ts';

const protocols: readonly CoordinatedBy[] = ['classic', 'consumer'];

/** What an offset tool needs of consumer groups, those of other client libraries and protocols included. */
export function groupAdminTests(suite: DriverSuite): void {
  const { test, assert, environment } = suite;
  for (const protocol of protocols) activeGroupTests(suite, protocol);

  test('a static member is described with its instance id', () =>
    withScene(suite, async ({ driver, topic }) => {
      if (!driver.capabilities.membership.staticMembership) return;
      const groupId = groupOf(topic);
      const options = { groupId, subscription: { topics: [topic] }, instanceId: 'seat 7' };
      const membership = driver.openMembership(options, deaf);
      await membership.join();
      const { members } = await driver.describeGroup(groupId);
      assert.deepEqual(
        members.map(({ instanceId }) => instanceId),
        ['seat 7'],
      );
      await membership.leave();
    }));

  test('a group that does not exist is dead, and has nothing to read or to delete', () =>
    withScene(suite, async ({ driver, topic }) => {
      const groupId = groupOf(topic);
      const dead = { groupId, protocol: 'classic', state: 'Dead', members: [] };
      assert.deepEqual(await driver.describeGroup(groupId), dead);
      assert.deepEqual(await driver.committedOffsets(groupId), []);
      await driver.deleteOffsets(groupId, [{ topic, partition: 0 }]);
      await driver.deleteOffsets(groupId, []);
      await driver.commitOffsets(groupId, []);
      assert.deepEqual(await driver.describeGroup(groupId), dead);
      assert.equal(await summary(driver, groupId), undefined);
    }));

  test('a commit makes the group, which is empty and is listed in order', () =>
    withScene(suite, async ({ driver, topic }) => {
      const groupIds = ['b', 'a', 'c'].map((name) => `${groupOf(topic)}-${name}`);
      for (const groupId of groupIds) await driver.commitOffsets(groupId, [offset(topic, 0, 1n)]);
      const listed = (await driver.listGroups()).filter(({ groupId }) => groupIds.includes(groupId));
      const expected = [...groupIds].sort().map((groupId) => ({ groupId, protocol: 'classic', state: 'Empty' }));
      assert.deepEqual(listed, expected);
      const [first = ''] = groupIds;
      const description = { groupId: first, protocol: 'classic', state: 'Empty', members: [] };
      assert.deepEqual(await driver.describeGroup(first), description);
    }));

  test('gives the offsets of the topics asked for, or of all', () =>
    withScene(
      suite,
      async ({ driver, topic }) => {
        const [other, groupId] = [await environment.createTopic(), groupOf(topic)];
        const committed = [offset(topic, 0, 0n), offset(topic, 2, 12_345_678_901n, 'é'), offset(other, 0, 3n)];
        await driver.commitOffsets(groupId, committed);
        assert.deepEqual(inOrder(await driver.committedOffsets(groupId)), inOrder(committed));
        assert.deepEqual(inOrder(await driver.committedOffsets(groupId, [topic])), committed.slice(0, 2));
        assert.deepEqual(await driver.committedOffsets(groupId, []), []);
        assert.deepEqual(await driver.committedOffsets(groupId, ['missing']), []);
      },
      { partitions: 3 },
    ));

  test('deletes offsets, and only those that it is told to', () =>
    withScene(
      suite,
      async ({ driver, topic }) => {
        const [other, groupId] = [await environment.createTopic(), groupOf(topic)];
        const kept = [offset(topic, 1, 2n), offset(other, 0, 3n)];
        await driver.commitOffsets(groupId, [offset(topic, 0, 1n), ...kept]);
        // Partition 2 has none.
        await driver.deleteOffsets(groupId, [
          { topic, partition: 0 },
          { topic, partition: 2 },
        ]);
        assert.deepEqual(inOrder(await driver.committedOffsets(groupId)), inOrder(kept));
        const error = await rejection(
          driver.deleteOffsets(groupId, [
            { topic, partition: 9 },
            { topic, partition: 1 },
          ]),
        );
        assert.deepEqual([error.code, error.topic, error.partition], ['KAFKA_TOPIC_MISSING', topic, 9]);
        assert.deepEqual(await driver.committedOffsets(groupId), [offset(other, 0, 3n)]);
      },
      { partitions: 3 },
    ));

  for (const isNamed of [true, false]) {
    const which = isNamed ? 'of a topic' : 'of all topics';

    test(`the first offset that a transaction is about to write is waited for, ${which}`, () =>
      withScene(suite, async ({ driver, topic }) => {
        const groupId = groupOf(topic);
        const transaction = await environment.beginTransaction();
        await transaction.sendOffsets(groupId, [offset(topic, 0, 7n)]);
        const asked = driver.committedOffsets(groupId, isNamed ? [topic] : undefined);
        // Answered after the first look of the one above.
        assert.deepEqual(await driver.committedOffsets(groupOf('nobody'), [topic]), []);
        await transaction.commit();
        assert.deepEqual(await asked, [offset(topic, 0, 7n)]);
      }));

    test(`an offset that a transaction is about to change is waited for, ${which}`, () =>
      withScene(suite, async ({ driver, topic }) => {
        const groupId = groupOf(topic);
        await driver.commitOffsets(groupId, [offset(topic, 0, 1n)]);
        for (const end of ['abort', 'commit'] as const) {
          const transaction = await environment.beginTransaction();
          await transaction.sendOffsets(groupId, [offset(topic, 0, 2n)]);
          const asked = driver.committedOffsets(groupId, isNamed ? [topic] : undefined);
          assert.deepEqual(await driver.committedOffsets(groupOf('nobody'), [topic]), []);
          await transaction[end]();
          assert.deepEqual(await asked, [offset(topic, 0, end === 'commit' ? 2n : 1n)]);
        }
      }));
  }
}

/** A group of one protocol that has a member, and afterwards none. */
function activeGroupTests(suite: DriverSuite, protocol: CoordinatedBy): void {
  const { test, assert, environment } = suite;

  test(`lists and describes an active group of the ${protocol} protocol`, () =>
    withScene(
      suite,
      async ({ driver, topic }) => {
        const groupId = groupOf(topic);
        const member = await joined(suite, driver, protocol, groupId, topic);
        const description = await settled(driver, groupId, 2);
        assert.deepEqual([description.groupId, description.protocol, description.state], [groupId, protocol, 'Stable']);
        const [described] = description.members;
        assert.deepEqual(described?.assignment, [
          { topic, partition: 0 },
          { topic, partition: 1 },
        ]);
        assert.equal(described?.instanceId, undefined);
        assert.ok(described?.memberId && described.clientId && described.clientHost, JSON.stringify(described));
        assert.deepEqual(await summary(driver, groupId), { groupId, protocol, state: 'Stable' });
        await member.leave();
        await emptied(driver, groupId);
        assert.deepEqual(await summary(driver, groupId), { groupId, protocol, state: 'Empty' });
        assert.deepEqual(await driver.describeGroup(groupId), { groupId, protocol, state: 'Empty', members: [] });
      },
      { partitions: 2 },
    ));

  test(`refuses offsets from outside while a group of the ${protocol} protocol has members, takes them afterwards`, () =>
    withScene(suite, async ({ driver, topic }) => {
      const groupId = groupOf(topic);
      const member = await joined(suite, driver, protocol, groupId, topic);
      const before = await settled(driver, groupId, 1);
      const error = await rejection(driver.commitOffsets(groupId, [offset(topic, 0, 5n, 'stranger')]));
      assert.deepEqual([error.code, error.retriable], ['GROUP_ACTIVE', false]);
      assert.ok(error.message.includes(groupId), error.message);
      assert.deepEqual(await driver.committedOffsets(groupId), []);
      assert.deepEqual(await driver.describeGroup(groupId), before, 'the member keeps what it has');
      await member.leave();
      await emptied(driver, groupId);
      await driver.commitOffsets(groupId, [offset(topic, 0, 5n, 'operator')]);
      assert.deepEqual(await driver.committedOffsets(groupId), [offset(topic, 0, 5n, 'operator')]);
      assert.equal((await driver.describeGroup(groupId)).protocol, protocol);
    }));

  test(`deletes no offset that a member of the ${protocol} protocol reads on from`, () =>
    withScene(suite, async ({ driver, topic }) => {
      const [other, groupId] = [await environment.createTopic(), groupOf(topic)];
      await driver.commitOffsets(groupId, [offset(topic, 0, 5n), offset(other, 0, 6n)]);
      const member = await joined(suite, driver, protocol, groupId, topic);
      await settled(driver, groupId, 1);
      const both = [topic, other].map((name) => ({ topic: name, partition: 0 }));
      const error = await rejection(driver.deleteOffsets(groupId, both));
      assert.deepEqual([error.code, error.topic, error.partition], ['GROUP_ACTIVE', topic, 0]);
      assert.deepEqual(await driver.committedOffsets(groupId), [offset(topic, 0, 5n)]);
      await member.leave();
      await emptied(driver, groupId);
      await driver.deleteOffsets(groupId, both);
      assert.deepEqual(await driver.committedOffsets(groupId), []);
    }));
}

const deaf = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };

/** A member by a membership of the driver, or by the environment where the driver does not speak the protocol. */
async function joined(
  { environment }: DriverSuite,
  driver: KafkaDriver,
  protocol: CoordinatedBy,
  groupId: string,
  topic: string,
): Promise<{ leave(): Promise<void> }> {
  const spoken = driver.capabilities.membership.protocols.find(
    (each) => (each === 'consumer') === (protocol === 'consumer'),
  );
  if (spoken !== undefined) {
    const options = { groupId, subscription: { topics: [topic] }, protocol: spoken };
    const membership = driver.openMembership(options, deaf);
    await membership.join();
    return membership;
  }
  if (environment.joinNewProtocol === undefined) {
    throw new Error('neither the driver nor the environment can join a group of the new protocol');
  }
  return environment.joinNewProtocol(groupId, topic);
}

/** Waits until the one member of a group has so many partitions. */
async function settled(driver: KafkaDriver, groupId: string, partitions: number): Promise<GroupDescription> {
  let description = await driver.describeGroup(groupId);
  await eventually(`${groupId} to settle`, async () => {
    description = await driver.describeGroup(groupId);
    const [member, another] = description.members;
    return description.state === 'Stable' && another === undefined && member?.assignment.length === partitions;
  });
  return description;
}

/** Waits until the coordinator has heard that the members have left. */
function emptied(driver: KafkaDriver, groupId: string): Promise<void> {
  return eventually(`${groupId} to be empty`, async () => (await driver.describeGroup(groupId)).state === 'Empty');
}

async function summary(driver: KafkaDriver, groupId: string): Promise<unknown> {
  return (await driver.listGroups()).find((group) => group.groupId === groupId);
}

function groupOf(topic: string): string {
  return `group-of-${topic}`;
}

function offset(topic: string, partition: number, next: bigint, metadata = ''): CommittedOffset {
  return { topic, partition, offset: next, metadata };
}

/** By topic and partition. */
function inOrder(offsets: readonly CommittedOffset[]): CommittedOffset[] {
  return [...offsets].sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}
