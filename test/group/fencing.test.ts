import { describe, expect, it } from 'vitest';
import { removeCompareAndSet } from '../crash/seededLedger.ts';
import type { Worker } from '../crash/workerProcess.ts';
import { groupSetting } from './groupSetting.ts';
import { errorOf, type GroupTrial, groupTestMs, heldBy, instanceIdOf, told, usualSessionMs } from './groupTrial.ts';
import { needsWay, ways } from './memberships.ts';

const setting = groupSetting();
/** For what does not depend on the protocol. */
const kafkajs = { driver: 'kafkajs', protocol: 'eager' } as const;

describe.concurrent.each(ways)(
  '$name: a process that sleeps past its session, about to commit',
  { timeout: groupTestMs },
  ({ way }) => {
    it('is fenced there, leaves nothing, names its successor and comes back', async (context) => {
      needsWay(context, way);
      const trial = await setting().trial({ way });
      const { sleeper, successor } = await sleepPastSession(trial);
      const [sleeperId, successorId] = [await instanceIdOf(sleeper), await instanceIdOf(successor)];
      await told(successor, 'partitionClaimed', ({ previousOwner }) => previousOwner === sleeperId);
      sleeper.signal('SIGCONT');
      const fenced = await told(sleeper, 'partitionFenced', (event) => errorOf(event).code === 'LEDGER_FENCED');
      expect(errorOf(fenced).message).toContain(successorId);
      await trial.shared(sleeper, successor);
      const comeback = await told(sleeper, 'rangeCommitted', ({ at }) => at > fenced.at);
      expect(heldBy(sleeper)).toContain((comeback.range as { partition: number }).partition);
      await trial.finishWith(sleeper, successor);
    });
  },
);

describe.concurrent('what the checker says of a ledger that lets everybody commit', { timeout: groupTestMs }, () => {
  // Should it hear of the rebalance before it sends what it was about to, it rolls back by itself: then once more.
  it('a process that slept past its session writes again what its successor wrote', { retry: 2 }, async () => {
    const trial = await setting().trial({ way: kafkajs });
    const { sleeper, successor } = await sleepPastSession(trial);
    await removeCompareAndSet(trial);
    const committed = sleeper.events('rangeCommitted').length;
    sleeper.signal('SIGCONT');
    await sleeper.waitFor('rangeCommitted', committed + 1);
    await trial.endLoad();
    for (const worker of [sleeper, successor]) worker.signal('SIGKILL');
    for (const worker of [sleeper, successor]) await worker.ended();
    expect((await trial.violations()).map(({ kind }) => kind)).toContain('rowDuplicated');
  });
});

describe.concurrent('a claim by someone the group knows nothing of', { timeout: groupTestMs }, () => {
  it.for(ways)('$name: the member asks the group and claims again', async ({ way }, context) => {
    needsWay(context, way);
    const trial = await setting().trial({ way });
    const member = await trial.member();
    await trial.shared(member);
    await trial.sql(
      `UPDATE ledger.offsets SET claim = gen_random_uuid(), owner = 'stranger', owner_epoch = owner_epoch + 1
        WHERE partition IN (0, 3)`,
    );
    for (const meant of [0, 3]) {
      const fenced = await told(member, 'partitionFenced', ({ partition }) => partition === meant);
      expect(errorOf(fenced).message).toContain('stranger');
      const again = await told(
        member,
        'partitionClaimed',
        ({ partition, at }) => partition === meant && at > fenced.at,
      );
      expect(again.previousOwner).toBe('stranger');
    }
    await trial.finishWith(member);
  });
});

describe.concurrent('an event loop that stands still for longer than the session', { timeout: groupTestMs }, () => {
  it('costs the membership, and the loss says how long it stood', async () => {
    const blockMs = usualSessionMs + 2_000;
    const trial = await setting().trial({ way: kafkajs, changes: { sink: { columns: undefined } } });
    const member = await trial.member({ transform: 'blocked' });
    const lost = await told(member, 'groupMembershipLost', ({ blockedMs }) => Number(blockedMs) > blockMs - 500);
    expect(lost.blockedMs).toBeLessThan(blockMs * 3);
    expect(lost.unconfirmedMs).toBeGreaterThan(blockMs - 500);
    await told(member, 'rangeCommitted', ({ at }) => at > lost.at);
    await trial.finishWith(member);
  });
});

/** Two processes; one stops itself in front of a commit and stays away until the group has given everything to the other. */
async function sleepPastSession(trial: GroupTrial): Promise<{ sleeper: Worker; successor: Worker }> {
  const successor = await trial.member();
  await trial.shared(successor);
  const sleeper = await trial.member({}, 'sink.beforeCommit@5:stop');
  await sleeper.waitUntilStopped();
  const held = heldBy(sleeper);
  await trial.shared(successor);
  const again = successor.events('rangeCommitted').length;
  await successor.waitFor('rangeCommitted', again + held.size * 3);
  return { sleeper, successor };
}
