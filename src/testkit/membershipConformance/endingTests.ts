import { systemClock } from '../../platform/index.ts';
import { eventually } from '../eventually.ts';
import { isolate, withParty } from './member.ts';
import type { MembershipSuite } from './suite.ts';

/** Losing a membership, asking for it, and leaving. */
export function endingTests(suite: MembershipSuite): void {
  const { test, assert, environment } = suite;
  const { sessionTimeoutMs } = environment.options;

  test('a member cut off past its session has lost everything, says for how long, and joins again', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const [stays, cut] = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled([stays, cut], { [topic]: 4 });
      isolate(cut);
      await party.settled([stays], { [topic]: 4 });
      // A client may hear of its loss from the coordinator only.
      cut.process.heal();
      await eventually('the loss', () => cut.losses.length > 0);
      const [loss] = cut.losses;
      assert.equal(loss?.error.code, 'GROUP_MEMBERSHIP_LOST');
      if (loss?.unconfirmedMs !== undefined)
        assert.ok(loss.unconfirmedMs >= sessionTimeoutMs / 2, String(loss.unconfirmedMs));
      assert.ok((loss?.blockedMs ?? -1) >= 0, String(loss?.blockedMs));
      await party.settled([stays, cut], { [topic]: 4 });
      assert.deepEqual([stays.losses, stays.failures, cut.failures], [[], [], []]);
    }));

  test('confirm() says what the coordinator has, also right after a rebalance', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 4);
      const first = await party.join({ topics: [topic] });
      assert.equal((await first.membership.confirm()).length, 4);
      const second = await party.join({ topics: [topic] });
      await eventually('shares', async () => {
        const counts = await Promise.all(
          [first, second].map(async ({ membership }) => (await membership.confirm()).length),
        );
        return counts.join() === '2,2';
      });
      await party.settled([first, second], { [topic]: 4 });
    }));

  test('confirm() of who is no member rejects with GROUP_MEMBERSHIP_LOST', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.newMember({ topics: [topic] });
      const code = () => member.membership.confirm().then(String, (error: { code?: string }) => error.code);
      assert.equal(await code(), 'GROUP_MEMBERSHIP_LOST');
      await member.membership.join();
      await party.settled([member], { [topic]: 2 });
      await member.membership.leave();
      assert.equal(await code(), 'GROUP_MEMBERSHIP_LOST');
    }));

  test('a member put out while it was cut off does not confirm what it had', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const [stays, cut] = [await party.join({ topics: [topic] }), await party.join({ topics: [topic] })];
      await party.settled([stays, cut], { [topic]: 2 });
      isolate(cut);
      await party.settled([stays], { [topic]: 2 });
      // It may have heard of it by now or not. What it is told is of a membership it has: none, or a new one.
      cut.process.heal();
      const before = cut.losses.length;
      const answer = await cut.membership.confirm().catch((error: { code?: string }) => error.code);
      assert.ok(answer === 'GROUP_MEMBERSHIP_LOST' || cut.losses.length > 0 || before > 0, String(answer));
      await party.settled([stays, cut], { [topic]: 2 });
    }));

  test('leave() gives back what is ours, once, after revoked is done with it', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] });
      let done = false;
      member.drain = async () => {
        await systemClock.sleep(100);
        done = true;
      };
      await Promise.all([member.membership.leave(), member.membership.leave()]);
      assert.ok(done);
      assert.equal(member.heard.filter((call) => call.startsWith('revoked')).length, 1);
    }));

  test('leave() does not wait for ever for revoked', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] }, { revokeTimeoutMs: 200 });
      member.drain = () => new Promise(() => {});
      await member.membership.leave();
      assert.equal(member.membership.member, undefined);
    }));

  test('leave() before join, and during it', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const never = await party.newMember({ topics: [topic] });
      await never.membership.leave();
      const early = await party.newMember({ topics: [topic] });
      const joining = early.membership.join().then(
        () => 'joined',
        (error: { code?: string }) => error.code,
      );
      await early.membership.leave();
      const outcome = await joining;
      assert.ok(outcome === 'joined' || outcome === 'KAFKA_CLOSED', outcome);
      assert.deepEqual([never.believed, early.believed], [[], []]);
      // Whoever left so early holds nobody up.
      const next = await party.join({ topics: [topic] });
      await party.settled([next], { [topic]: 2 });
    }));

  test('leave() of a member that is cut off ends', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] });
      isolate(member);
      await member.membership.leave();
      assert.deepEqual([member.believed, member.assignment], [[], []]);
    }));

  test('leave() after the driver was closed ends', () =>
    withParty(suite, async (party) => {
      const topic = await party.topic('t', 2);
      const member = await party.join({ topics: [topic] });
      await member.process.driver.close();
      await member.membership.leave();
      assert.deepEqual([member.assignment, member.membership.member], [[], undefined]);
    }));
}
