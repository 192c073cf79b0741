import { groupProtocols } from '../../kafka/index.ts';
import { systemClock } from '../../platform/index.ts';
import { eventually } from '../eventually.ts';
import { type Member, withParty } from './member.ts';
import type { MembershipSuite } from './suite.ts';

/** What a driver's capabilities promise, and that it refuses what they rule out. */
export function capabilityTests(suite: MembershipSuite): void {
  refusals(suite);
  if (suite.environment.capabilities.awaitsRevocation) awaitedRevocation(suite);
  if (suite.environment.capabilities.staticMembership) staticMembership(suite);
  if (suite.environment.joinForeign !== undefined) foreignGroups(suite, suite.environment.joinForeign);
}

function refusals(suite: MembershipSuite): void {
  const { test, assert, environment } = suite;
  const { protocols, staticMembership: hasStatic } = environment.capabilities;

  test('a protocol or static membership that the driver does not have is refused at once', () =>
    withParty(suite, async (party) => {
      const { driver } = await environment.newProcess();
      const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
      const options = { groupId: party.groupId, subscription: { topics: ['any'] }, ...environment.options };
      const pathOf = (more: object): unknown => {
        try {
          driver.openMembership({ ...options, ...more }, listener);
        } catch (error) {
          const { code, path } = error as { code?: string; path?: string };
          return `${code} ${path}`;
        }
        return 'accepted';
      };
      for (const protocol of groupProtocols) {
        if (protocols.includes(protocol)) continue;
        assert.equal(pathOf({ protocol }), 'CONFIG_INVALID source.group.protocol');
      }
      if (!hasStatic) assert.equal(pathOf({ instanceId: 'one' }), 'CONFIG_INVALID source.group.instanceId');
      await driver.close();
    }));
}

function awaitedRevocation(suite: MembershipSuite): void {
  const { test, assert } = suite;

  test('nobody gets a partition before revoked is done with it', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const first = await party.join({ topics: [topic] });
      await party.settled([first], { [topic]: 4 });
      let second: Member | undefined;
      let early = false;
      first.drain = async () => {
        await systemClock.sleep(500);
        early ||= (second?.believed.length ?? 0) > 0;
      };
      second = await party.newMember({ topics: [topic] });
      await second.membership.join();
      await party.settled([first, second], { [topic]: 4 });
      assert.ok(!early, 'the second member waited');
      first.drain = async () => {};
    }));
}

function staticMembership(suite: MembershipSuite): void {
  const { test, assert } = suite;

  test('a static member that comes back within its session has its partitions again, and nobody else hears of it', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const stays = await party.join({ topics: [topic] }, { instanceId: 'one' });
      const goes = await party.join({ topics: [topic] }, { instanceId: 'two' });
      await party.settled([stays, goes], { [topic]: 4 });
      const [had, heard] = [goes.assignment, stays.heard.length];
      await goes.process.driver.close();
      const back = await party.join({ topics: [topic] }, { instanceId: 'two' });
      await eventually('its partitions', () => back.believed.join() === had.join());
      assert.equal(stays.heard.length, heard, stays.heard.join('; '));
    }));
}

function foreignGroups(suite: MembershipSuite, joinForeign: (groupId: string, topic: string) => Promise<void>): void {
  const { test, assert } = suite;

  test('a group whose members speak another protocol is refused by join()', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      await joinForeign(party.groupId, topic);
      const member = await party.newMember({ topics: [topic] });
      const refusal = await member.membership.join().catch((error: unknown) => error);
      assert.equal((refusal as { code?: string } | undefined)?.code, 'GROUP_PROTOCOL_CONFLICT', String(refusal));
      assert.deepEqual([member.heard, member.membership.member], [[], undefined]);
    }));
}
