import { describe, expect, it } from 'vitest';
import type { FailpointName } from '../../src/platform/index.ts';
import { groupSetting } from './groupSetting.ts';
import { groupTestMs } from './groupTrial.ts';
import { needsWay, ways } from './memberships.ts';

const setting = groupSetting();
const kafkajs = { driver: 'kafkajs', protocol: 'eager' } as const;
const killed = { signal: 'SIGKILL', code: null };

describe.concurrent('a member killed at a dangerous line leaves its partitions to another', {
  timeout: groupTestMs,
}, () => {
  const lines: readonly FailpointName[] = [
    'store.beforeClaim',
    'store.afterClaim',
    'sink.beforeCommit',
    'sink.commitSent',
    'sink.afterCommit',
  ];
  it.each(lines)('%s, of a member that has just joined', async (line) => {
    const trial = await setting().trial({ way: kafkajs });
    const survivor = await trial.member();
    await trial.shared(survivor);
    const victim = await trial.member({}, `${line}:kill`);
    expect(await victim.ended(), victim.logTail()).toEqual(killed);
    await trial.shared(survivor);
    await trial.finishWith(survivor);
  });

  it('store.beforeRelease, of a member that gives up what another gets', async () => {
    const trial = await setting().trial({ way: kafkajs });
    const victim = await trial.member({}, 'store.beforeRelease:kill');
    await trial.shared(victim);
    const survivor = await trial.member();
    expect(await victim.ended(), victim.logTail()).toEqual(killed);
    await trial.shared(survivor);
    await trial.finishWith(survivor);
  });
});

describe.concurrent('with one transaction for a batch', { timeout: groupTestMs }, () => {
  it.for(ways)(
    '$name: processes come, are killed, sleep and go, and every record is there once',
    async ({ way }, context) => {
      needsWay(context, way);
      const changes = { batch: { transaction: 'batch', maxRecordsPerPartition: 10 } };
      const trial = await setting().trial({ way, changes });
      const first = await trial.member();
      await trial.shared(first);
      const second = await trial.member({}, 'sink.beforeCommit@5:stop');
      await second.waitUntilStopped();
      await trial.shared(first);
      const third = await trial.member({}, 'sink.commitSent@5:kill');
      expect(await third.ended(), third.logTail()).toEqual(killed);
      second.signal('SIGCONT');
      await trial.shared(first, second);
      first.signal('SIGTERM');
      expect(await first.ended(), first.logTail()).toEqual({ signal: null, code: 0 });
      await trial.shared(second);
      await trial.finishWith(second);
    },
  );
});
