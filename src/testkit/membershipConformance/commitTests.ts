import type { CommittedOffset } from '../../kafka/index.ts';
import { partitionName, type TopicPartition } from '../../model/index.ts';
import { isolate, type Member, type Party, withParty } from './member.ts';
import type { MembershipSuite } from './suite.ts';

/** Committing offsets to the group as its member. */
export function commitTests(suite: MembershipSuite): void {
  const { test, assert, environment } = suite;

  test('what a member commits is what the group has, its metadata too', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] });
      await party.settled([member], { [topic]: 2 });
      // Beyond 32 bits, and text that is no ASCII.
      const offsets = [offset(topic, 0, 9_007_199_254_740_001n, 'mirror é'), offset(topic, 1, 3n, '')];
      await member.membership.commitOffsets(offsets);
      assert.deepEqual(await committedOf(party, member, topic), offsets);
    }));

  test('of two commits the later one counts, also when nobody waited for the first', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] });
      await party.settled([member], { [topic]: 2 });
      for (let round = 0n; round < 50n; round += 10n) {
        const at = [round + 1n, round + 2n, round + 3n];
        await Promise.all(at.map((next) => member.membership.commitOffsets([offset(topic, 0, next)])));
        assert.deepEqual(await committedOf(party, member, topic), [offset(topic, 0, round + 3n)]);
      }
    }));

  test('offsets of partitions that are not ours are left out of a commit', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const members = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled(members, { [topic]: 4 });
      const [first, second] = members as [Member, Member];
      await first.membership.commitOffsets([0, 1, 2, 3].map((partition) => offset(topic, partition, 7n)));
      assert.deepEqual(named(await committedOf(party, first, topic)), first.assignment);
      await first.membership.commitOffsets(offsetsOf(second.membership.assignment, 8n));
      assert.deepEqual(named(await committedOf(party, first, topic)), first.assignment);
    }));

  test('no offsets, or none of ours, is a commit without a request', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 1);
      const member = await party.join({ topics: [topic] });
      isolate(member);
      await member.membership.commitOffsets([]);
      await member.membership.commitOffsets([offset(`${party.prefix}other`, 0, 1n)]);
      member.process.heal();
      assert.deepEqual(await committedOf(party, member, topic), []);
    }));

  test('a commit of a member that was counted out is refused, and nothing is written', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const [stays, cut] = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled([stays, cut], { [topic]: 4 });
      isolate(cut);
      // Begun as a member, and under way until it is none.
      const late = codeOf(cut.membership.commitOffsets(offsetsOf(cut.membership.assignment, 4n)));
      await party.settled([stays], { [topic]: 4 });
      const current = offsetsOf(stays.membership.assignment, 5n);
      await stays.membership.commitOffsets(current);
      cut.process.heal();
      assert.equal(await late, 'GROUP_MEMBERSHIP_LOST');
      assert.deepEqual(named(await committedOf(party, stays, topic), '@'), named(current, '@'));
      await party.settled([stays, cut], { [topic]: 4 });
    }));

  test('a commit before join, during leave and after it rejects with GROUP_MEMBERSHIP_LOST', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 1);
      const member = await party.newMember({ topics: [topic] });
      const commit = () => codeOf(member.membership.commitOffsets([offset(topic, 0, 1n)]));
      assert.equal(await commit(), 'GROUP_MEMBERSHIP_LOST');
      await member.membership.join();
      await party.settled([member], { [topic]: 1 });
      let during: string | undefined;
      member.drain = async () => {
        during = await commit();
      };
      await member.membership.leave();
      assert.deepEqual([during, await commit()], ['GROUP_MEMBERSHIP_LOST', 'GROUP_MEMBERSHIP_LOST']);
      assert.deepEqual(await committedOf(party, member, topic), []);
    }));

  if (!environment.capabilities.awaitsRevocation) return;

  test('a partition that the group waits for is still ours to commit', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const first = await party.join({ topics: [topic] });
      await party.settled([first], { [topic]: 2 });
      let last: readonly CommittedOffset[] = [];
      let refusal: string | undefined;
      first.drain = async (partitions) => {
        last = offsetsOf(partitions, 6n);
        refusal = await codeOf(first.membership.commitOffsets(last));
      };
      const second = await party.join({ topics: [topic] });
      await party.settled([first, second], { [topic]: 2 });
      assert.deepEqual([last.length, refusal], [1, 'written']);
      assert.deepEqual(await committedOf(party, second, topic), last);
      first.drain = async () => {};
    }));
}

function offset(topic: string, partition: number, next: bigint, metadata = ''): CommittedOffset {
  return { topic, partition, offset: next, metadata };
}

function offsetsOf(partitions: readonly TopicPartition[], next: bigint): CommittedOffset[] {
  return partitions.map(({ topic, partition }) => offset(topic, partition, next));
}

/** `topic-partition`, or with `@` also the offset, in order. */
function named(offsets: readonly CommittedOffset[], at: '' | '@' = ''): string[] {
  return offsets.map((each) => (at === '' ? partitionName(each) : `${partitionName(each)}@${each.offset}`)).sort();
}

/** What the group has of a topic, by partition. */
async function committedOf(party: Party, { process }: Member, topic: string): Promise<CommittedOffset[]> {
  const offsets = await process.driver.committedOffsets(party.groupId, [topic]);
  return [...offsets].sort((a, b) => a.partition - b.partition);
}

async function codeOf(commit: Promise<void>): Promise<string | undefined> {
  return commit.then(
    () => 'written',
    (error: { code?: string }) => error.code,
  );
}
