import { describe, expect, it } from 'vitest';
import { removeCompareAndSet } from './seededLedger.ts';
import { sharedSetting } from './setting.ts';
import type { Trial } from './trial.ts';

const setting = sharedSetting();

/** Builds of the pipeline that break the promise: what the checker says of them is what its silence is worth. */
describe('a build that breaks the promise is found out by the checker', () => {
  it.concurrent('without the compare-and-set a process that slept writes again what its successor wrote', async () => {
    const trial = await setting().trial();
    await (await trial.start({ start: { until: 'batch' } })).ended();
    await removeCompareAndSet(trial);
    await sleepPastTakeOver(trial);
    const kinds = new Set((await trial.violations()).map(({ kind }) => kind));
    expect(kinds).toContain('rowDuplicated');
    expect(kinds).toContain('rangeOverlap');
    expect(kinds).toContain('rowOrder');
  });

  it.concurrent('with the compare-and-set the same sleep leaves nothing', async () => {
    const trial = await setting().trial();
    await sleepPastTakeOver(trial);
    expect(await trial.violations()).toEqual([]);
  });

  it.concurrent('with the ledger outside of the transaction a kill between the two doubles rows', async () => {
    const trial = await setting().trial();
    const worker = await trial.start({ seeded: 'ledgerOutside' }, 'sink.afterCommit@4:kill');
    expect(await worker.ended(), worker.logTail()).toEqual({ signal: 'SIGKILL', code: null });
    expect((await trial.violations()).map(({ kind }) => kind)).toContain('rowOutsideRanges');
    await (await trial.start({ seeded: 'ledgerOutside', start: { until: 'end' } })).ended();
    const kinds = new Set((await trial.violations()).map(({ kind }) => kind));
    expect(kinds).toContain('rowDuplicated');
  });

  it.concurrent('with the ledger outside of the transaction a fenced process leaves its rows', async () => {
    const trial = await setting().trial();
    await sleepPastTakeOver(trial, 'ledgerOutside');
    expect((await trial.violations()).map(({ kind }) => kind)).toContain('rowDuplicated');
  });
});

/** One process stops with a transaction about to be committed, another takes over and finishes, the first wakes up. */
async function sleepPastTakeOver(trial: Trial, seeded?: 'ledgerOutside'): Promise<void> {
  const build = seeded === undefined ? {} : { seeded };
  const sleeper = await trial.start(build, 'sink.beforeCommit@4:stop');
  await sleeper.waitUntilStopped();
  const committed = sleeper.events('rangeCommitted').length;
  const successor = await trial.start({ ...build, start: { until: 'end', takeOver: true } });
  expect(await successor.ended(), successor.logTail()).toEqual({ signal: null, code: 0 });
  sleeper.signal('SIGCONT');
  // With a broken compare-and-set it goes on as if nothing had happened, else it is fenced.
  await sleeper.waitFor(['rangeCommitted', 'partitionFenced'], committed + 1);
  sleeper.signal('SIGTERM');
  expect(await sleeper.ended(), sleeper.logTail()).toEqual({ signal: null, code: 0 });
}
