import { describe, expect, it } from 'vitest';
import { produceInput } from './input.ts';
import { sharedSetting } from './setting.ts';
import { expectKept, type OptionChanges, type Trial, waitUntilDone } from './trial.ts';
import { paced } from './watching.ts';
import type { Worker } from './workerProcess.ts';

const setting = sharedSetting();
const partitions = 4;
const stopped = { signal: null, code: 0 };

async function expectOrderlyEnd(trial: Trial, ...workers: readonly Worker[]): Promise<void> {
  for (const worker of workers) worker.signal('SIGTERM');
  for (const worker of workers) expect(await worker.ended(), worker.logTail()).toEqual(stopped);
  await expectKept(trial);
}

describe('two processes with the same pipeline', () => {
  it.concurrent('the second stands by, and takes over at once when the first is killed', async () => {
    const trial = await setting().trial();
    const first = await trial.start({ changes: paced });
    await first.waitFor('rangeCommitted');
    const second = await trial.start();
    expect(await second.waitFor('started')).toMatchObject({ ready: 'standby' });
    expect(second.events('partitionStandby')).toHaveLength(partitions);
    expect(second.events('partitionClaimed')).toEqual([]);
    first.signal('SIGKILL');
    const claimed = await second.waitFor('partitionClaimed', partitions);
    // The heartbeat of the first was still fresh: nobody waited for it to age.
    const [owner] = await trial.sql<{ at: number }>(
      'SELECT (extract(epoch FROM seen_at) * 1000)::float8 AS at FROM ledger.owners WHERE pid = $1',
      [first.pid],
    );
    expect(claimed.at - (owner?.at ?? 0)).toBeLessThan(5_000);
    await waitUntilDone(trial);
    await expectOrderlyEnd(trial, second);
  });

  it.concurrent('the second takes over from a first that is frozen in a COPY, once its heartbeat is old', async () => {
    const { trial, frozen } = await frozenInCopy();
    const successor = await trial.start();
    const committed = await successor.waitFor('rangeCommitted');
    expect(committed.at - frozen.lastEventAt).toBeGreaterThan(4_000);
    await expectFenced(trial, frozen.worker, successor);
  });

  it.concurrent('with takeOver the second does not wait, not for the heartbeat and not for the keys of the first', async () => {
    // To the sleeper the keys of its successor look like bad records, which it must not start to pass over.
    const { trial, frozen } = await frozenInCopy({
      onError: { record: 'skip' },
      sink: { lockTimeoutMs: 20_000 },
    });
    const successor = await trial.start({ start: { takeOver: true } });
    const claimed = await successor.waitFor('partitionClaimed');
    const committed = await successor.waitFor('rangeCommitted', 2);
    // Its own patience for a lock is longer: what held it up was ended.
    expect(committed.at - claimed.at).toBeLessThan(15_000);
    await expectFenced(trial, frozen.worker, successor);
  });

  it.concurrent('a live owner that is taken over stands by and does not fight', async () => {
    const trial = await setting().trial();
    const first = await trial.start({ changes: paced });
    await first.waitFor('rangeCommitted', 2);
    const second = await trial.start({ start: { takeOver: true }, changes: paced });
    await second.waitFor('partitionClaimed', partitions);
    await first.waitFor('partitionStandby', 1);
    await waitUntilDone(trial);
    expect(first.events('partitionClaimed')).toHaveLength(partitions);
    expect(second.events('partitionFenced')).toEqual([]);
    await expectOrderlyEnd(trial, first, second);
  });

  it.concurrent('with standby: false the second ends and names the first', async () => {
    const trial = await setting().trial();
    const first = await trial.start({ changes: paced });
    await first.waitFor('rangeCommitted');
    const second = await trial.start({ start: { standby: false } });
    expect(await second.ended()).toEqual({ signal: null, code: 1 });
    expect(second.events('failed')).toMatchObject([{ error: { code: 'LEDGER_FENCED' } }]);
    await waitUntilDone(trial);
    await expectOrderlyEnd(trial, first);
  });

  it.concurrent('two that start at once on an empty database share one ledger', async () => {
    const trial = await setting().trial();
    const run = { start: { until: 'end' } };
    const both = await Promise.all([trial.start(run), trial.start(run)]);
    for (const worker of both) expect(await worker.ended(), worker.logTail()).toEqual(stopped);
    await expectKept(trial);
  });
});

/**
 * A process that sleeps in the middle of a COPY of so many rows that the server has written keys of them, in a table where no
 * key may be twice.
 */
async function frozenInCopy(
  changes: OptionChanges = {},
): Promise<{ trial: Trial; frozen: { worker: Worker; lastEventAt: number } }> {
  const { environment } = setting();
  const input = await produceInput(environment, { filled: 2, rounds: 1, recordsPerStep: 2_000 });
  const trial = await setting().trial({
    input,
    constraint: 'UNIQUE (partition, record_offset)',
    changes: { batch: { maxRecordsPerPartition: 50_000 }, ...changes },
  });
  const worker = await trial.start({}, 'sink.midCopy:stop');
  await worker.waitUntilStopped();
  return { trial, frozen: { worker, lastEventAt: worker.events().at(-1)?.at ?? 0 } };
}

/** The frozen process wakes up after its successor did all the work: it is told, and leaves nothing. */
async function expectFenced(trial: Trial, frozen: Worker, successor: Worker): Promise<void> {
  await waitUntilDone(trial);
  frozen.signal('SIGCONT');
  await frozen.waitFor('partitionFenced');
  await frozen.waitFor('partitionStandby');
  expect(frozen.events(['rangeCommitted', 'recordSkipped', 'partitionParked'])).toEqual([]);
  await expectOrderlyEnd(trial, frozen, successor);
}
