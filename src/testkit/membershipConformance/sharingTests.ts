import { eventually } from '../eventually.ts';
import { isolate, type Member, withParty } from './member.ts';
import type { MembershipSuite } from './suite.ts';

/** How partitions are spread, and who hears of it. */
export function sharingTests(suite: MembershipSuite): void {
  const { test, assert, environment } = suite;

  test('the first member has every partition when join() resolves', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const member = await party.join({ topics: [topic] });
      assert.equal(member.assignment.length, 4);
      assert.deepEqual(member.believed, member.assignment);
      assert.ok(member.membership.member !== undefined);
      await party.settled([member], { [topic]: 4 });
    }));

  test('a second and a third member get their share, and what stays is not named again', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 6);
      const members: Member[] = [];
      for (const each of [6, 3, 2]) {
        members.push(await party.join({ topics: [topic] }));
        await eventually(`${each} partitions each`, () => members.every(({ believed }) => believed.length === each));
        await party.settled(members, { [topic]: 6 });
      }
      assert.ok(members.every(({ losses }) => losses.length === 0));
      if (environment.isSticky === false) return;
      const first = members[0]?.heard.filter((call) => call.startsWith('assigned')) ?? [];
      assert.equal(first.length, 1, `the first member only gives up: ${members[0]?.heard.join('; ')}`);
    }));

  test('join() resolves without a partition where there are more members than partitions', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 1);
      const members = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled(members, { [topic]: 1 });
    }));

  test('what a leaving member had goes to the others without waiting for its session', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      // Longer than the patience of the test, where it is for the members to say.
      const options = { sessionTimeoutMs: 120_000 };
      const stays = await party.join({ topics: [topic] }, options);
      const leaves = await party.join({ topics: [topic] }, options);
      await party.settled([stays, leaves], { [topic]: 4 });
      await leaves.membership.leave();
      assert.deepEqual([leaves.believed, leaves.assignment, leaves.membership.member], [[], [], undefined]);
      await party.settled([stays], { [topic]: 4 });
      assert.deepEqual([stays.losses, leaves.losses], [[], []]);
    }));

  test('what a member had that died without a word goes to the others', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const [stays, dies] = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled([stays, dies], { [topic]: 4 });
      isolate(dies);
      await party.settled([stays], { [topic]: 4 });
      assert.deepEqual(stays.losses, []);
    }));

  test('partitions of several topics are spread together', () =>
    withParty(suite, async (party) => {
      const topics = [await party.topic('a', 1), await party.topic('b', 1), await party.topic('c', 2)];
      const [a = '', b = '', c = ''] = topics;
      const members = [await party.join({ topics }), await party.join({ topics })];
      await eventually('two each', () => members.every(({ believed }) => believed.length === 2));
      await party.settled(members, { [a]: 1, [b]: 1, [c]: 2 });
    }));

  test('a pattern takes topics whose whole name matches, also those made later', () =>
    withParty(suite, async (party) => {
      const first = await party.topic('in-1', 2);
      await party.topic('in-1-not', 2);
      const member = await party.join({ pattern: `${party.prefix}in-\\d` });
      const other = await party.join({ pattern: `${party.prefix}in-\\d` });
      await party.settled([member, other], { [first]: 2 });
      const before = [member, other].map(({ heard, believed }) => ({ heard: heard.length, believed }));
      const second = await party.topic('in-2', 2);
      await party.settled([member, other], { [first]: 2, [second]: 2 });
      // Where the coordinator assigns, it sees the members' new subscriptions one after the other, and may move a partition.
      for (const [index, { heard, believed }] of [member, other].entries()) {
        const named = heard.slice(before[index]?.heard).join(' ');
        const stayed = believed.filter((partition) => before[index]?.believed.includes(partition));
        assert.deepEqual(
          stayed.filter((partition) => named.includes(partition)),
          [],
          `what stays is not named: ${named}`,
        );
      }
    }));

  test('a pattern without a topic waits for one', () =>
    withParty(suite, async (party) => {
      const member = await party.join({ pattern: `${party.prefix}late` });
      assert.deepEqual(member.assignment, []);
      const topic = await party.topic('late', 1);
      await party.settled([member], { [topic]: 1 });
    }));

  test('new partitions are noticed, and what stays is not named again', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const members = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled(members, { [topic]: 2 });
      const before = members.map(({ heard }) => heard.length);
      await environment.addPartitions(topic, 6);
      await party.settled(members, { [topic]: 6 });
      const named = members.flatMap(({ heard }, index) => heard.slice(before[index])).join(' ');
      assert.ok(!named.includes(`${topic}-0`) && !named.includes(`${topic}-1`), named);
    }));

  test('a named topic that does not exist is refused by join()', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 1);
      const member = await party.newMember({ topics: [topic, `${party.prefix}missing`] });
      const refusal = await member.membership.join().catch((error: unknown) => error);
      assert.equal((refusal as { code?: string }).code, 'KAFKA_TOPIC_MISSING');
      assert.ok(String(refusal).includes(`${party.prefix}missing`), String(refusal));
      assert.deepEqual([member.heard, member.failures], [[], []]);
    }));
}
