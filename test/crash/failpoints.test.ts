import { describe, expect, it } from 'vitest';
import { type FailpointName, failpointNames } from '../../src/platform/index.ts';
import { sharedSetting } from './setting.ts';
import type { Trial } from './trial.ts';
import { paced } from './watching.ts';
import { startWorker } from './workerProcess.ts';

const setting = sharedSetting();

/**
 * When a process comes by a failpoint again: with a later range, when it claims again after an order of an operator, or with
 * the next pipeline of the same process.
 */
const passesAgain: Readonly<Record<FailpointName, 'range' | 'claim' | 'pipeline'>> = {
  'direct.beforeRead': 'range',
  'direct.afterRead': 'range',
  'sink.beforeWrite': 'range',
  'sink.midCopy': 'range',
  'sink.beforeCommit': 'range',
  'sink.commitSent': 'range',
  'sink.afterCommit': 'range',
  'store.beforeClaim': 'claim',
  'store.afterClaim': 'claim',
  'store.beforeRelease': 'pipeline',
  'store.afterInitialise': 'pipeline',
  'store.midMigration': 'pipeline',
};
const namesBy = (again: (typeof passesAgain)[FailpointName]) =>
  failpointNames.filter((name) => passesAgain[name] === again);

/** Without a transform and with rows that are dropped and doubled by one; the ledger has to account for both. */
const kinds = {
  partition: { changes: { batch: { transaction: 'partition' } } },
  batch: { changes: { batch: { transaction: 'batch' } }, transform: 'split' },
} as const;
const newTrialOf = (transaction: keyof typeof kinds) => setting().trial(kinds[transaction]);

const killed = { signal: 'SIGKILL', code: null };

describe('a process killed at a dangerous line', () => {
  it('every failpoint of the program has its case', () => {
    expect(Object.keys(passesAgain).sort()).toEqual([...failpointNames].sort());
  });

  const cases = namesBy('range').flatMap((name) =>
    // The first pass of the one, a later one of the other: what differs between passes does not differ between transactions.
    (
      [
        [1, 'partition'],
        [7, 'batch'],
      ] as const
    ).map(([pass, transaction]) => ({ name, pass, transaction })),
  );
  it.concurrent.each(cases)(
    '$name, pass $pass, one transaction per $transaction',
    async ({ name, pass, transaction }) => {
      const trial = await newTrialOf(transaction);
      const worker = await trial.start({}, `${name}@${pass}:kill`);
      expect(await worker.ended(), worker.logTail()).toEqual(killed);
      await trial.finish();
    },
  );

  it.concurrent.each(namesBy('claim'))('%s, at the first claim', async (name) => {
    const trial = await newTrialOf('partition');
    const worker = await trial.start({}, `${name}:kill`);
    expect(await worker.ended(), worker.logTail()).toEqual(killed);
    await trial.finish();
  });

  it.concurrent.each(namesBy('claim'))('%s, at a claim after an order of an operator', async (name) => {
    const trial = await newTrialOf('partition');
    const worker = await trial.start({ changes: paced }, `${name}@2:kill`);
    await worker.waitFor('rangeCommitted', 3);
    await trial.sql('UPDATE ledger.offsets SET claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1');
    expect(await worker.ended(), worker.logTail()).toEqual(killed);
    await trial.finish();
  });

  it.concurrent.each(namesBy('pipeline'))('%s, with the first pipeline of a process', async (name) => {
    const trial = await newTrialOf('partition');
    await expectKilled([trial], `${name}:kill`);
  });

  it.concurrent.each(namesBy('pipeline'))('%s, with the second pipeline of a process', async (name) => {
    await expectKilled([await newTrialOf('partition'), await newTrialOf('batch')], `${name}@2:kill`);
  });

  async function expectKilled(trials: readonly Trial[], failpoint: string): Promise<void> {
    const worker = await startWorker(
      trials.map((trial) => trial.run({ start: { until: 'end' } })),
      failpoint,
    );
    expect(await worker.ended(), worker.logTail()).toEqual(killed);
    for (const trial of trials) await trial.finish();
  }
});
