import { describe, expect, it } from 'vitest';
import type { Pipeline, StartOptions } from '../../src/index.ts';
import { waitUntil } from '../services/index.ts';
import { sharedSetting } from './setting.ts';
import type { OptionChanges, Trial } from './trial.ts';
import { all, expectKeptAtEnd, nth, paced } from './watching.ts';

const setting = sharedSetting();

/** Partition 0 becomes that of a process that has just shown a sign of life. */
const takeAway = `
  WITH owner AS (
    INSERT INTO ledger.owners (pipeline, instance_id, host, boot_id, pid)
    SELECT pipeline, 'neighbour', 'elsewhere', '', 1 FROM ledger.offsets LIMIT 1
  )
  UPDATE ledger.offsets SET claim = gen_random_uuid(), owner = 'neighbour', owner_epoch = owner_epoch + 1
   WHERE partition = 0`;

async function running(
  changes: OptionChanges = {},
  start: StartOptions = {},
): Promise<{ trial: Trial; pipeline: Pipeline }> {
  const trial = await setting().trial({ changes: { ...paced, ...changes } });
  const pipeline = trial.define();
  await pipeline.start(start);
  await nth(pipeline, 'rangeCommitted', 9);
  return { trial, pipeline };
}

describe('a claim that is not in the row any more', () => {
  it.concurrent('of an owner nobody knows: the commit leaves nothing, and the partition is claimed again', async () => {
    const { trial, pipeline } = await running();
    const fenced = nth(pipeline, 'partitionFenced');
    await trial.sql(`UPDATE ledger.offsets SET claim = gen_random_uuid(), owner = 'stranger', owner_epoch = owner_epoch + 1
                      WHERE partition = 0`);
    expect(await fenced).toMatchObject({ partition: 0, error: { code: 'LEDGER_FENCED' } });
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('of an owner that was alive: it is waited for until its heartbeat is five seconds old', async () => {
    const { trial, pipeline } = await running();
    const standby = nth(pipeline, 'partitionStandby');
    const claimed = nth(pipeline, 'partitionClaimed');
    const takenAt = Date.now();
    await trial.sql(takeAway);
    expect(await standby).toMatchObject({ partition: 0, owner: 'neighbour' });
    expect(pipeline.status().partitions[0]).toMatchObject({ state: 'standby', owner: 'neighbour' });
    expect(await claimed).toMatchObject({ partition: 0, ownerEpoch: 3n });
    expect(Date.now() - takenAt).toBeGreaterThan(4_000);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('of nobody, by order of an operator: it is claimed again at once', async () => {
    const { trial, pipeline } = await running();
    const claimed = nth(pipeline, 'partitionClaimed', trial.input.partitions);
    await trial.sql('UPDATE ledger.offsets SET claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1');
    const orderedAt = Date.now();
    await claimed;
    // Sooner than a heartbeat gets old: nobody had to be taken for dead.
    expect(Date.now() - orderedAt).toBeLessThan(4_500);
    await expectKeptAtEnd(trial, pipeline);
  });
});

describe('a pipeline that does not stand by', () => {
  it.concurrent('claims again what an operator set free', async () => {
    const { trial, pipeline } = await running({}, { standby: false });
    await trial.sql('UPDATE ledger.offsets SET claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1');
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('ends when another process takes a partition', async () => {
    const { trial, pipeline } = await running({}, { standby: false });
    const other = trial.define();
    await other.start({ takeOver: true });
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'LEDGER_FENCED' });
    await expectKeptAtEnd(trial, other);
  });
});

describe('one transaction for all partitions of a batch', () => {
  const changes = { batch: { ...paced.batch, transaction: 'batch' } };

  it.concurrent('goes on without a partition that was taken away', async () => {
    const { trial, pipeline } = await running(changes);
    const standby = nth(pipeline, 'partitionStandby');
    await trial.sql(takeAway);
    expect(await standby).toMatchObject({ partition: 0 });
    await waitUntil('the others to be done', () =>
      pipeline
        .status()
        .partitions.slice(1)
        .every(({ lag }) => lag === 0n),
    );
    expect(pipeline.status().partitions[0]).toMatchObject({ state: 'standby' });
    expect(await trial.violations()).toEqual([]);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('goes on without a partition that parks', async () => {
    const { trial, pipeline } = await running(changes);
    const parked = nth(pipeline, 'partitionParked');
    await trial.sql('UPDATE ledger.offsets SET next_offset = next_offset - 5 WHERE partition = 1');
    expect(await parked).toMatchObject({ partition: 1, error: { code: 'LEDGER_TAMPERED' } });
    await waitUntil('the others to be done', () =>
      pipeline.status().partitions.every(({ partition, lag }) => partition === 1 || lag === 0n),
    );
    await pipeline.stop();
    await trial.sql('UPDATE ledger.offsets SET next_offset = next_offset + 5 WHERE partition = 1');
    await trial.finish();
  });
});

describe('a row that was changed by hand', () => {
  const edit = 'UPDATE ledger.offsets SET next_offset = next_offset + $1 WHERE partition = 0';

  it.concurrent.each([-7, 7])('by %i under a running pipeline: the partition parks, the others go on', async (by) => {
    const { trial, pipeline } = await running();
    const parked = nth(pipeline, 'partitionParked');
    await trial.sql(edit, [by]);
    const { partition, error } = await parked;
    expect({ partition, code: error.code }).toEqual({ partition: 0, code: 'LEDGER_TAMPERED' });
    expect(pipeline.status().ready).toBe('parked');
    const [row] = await trial.sql('SELECT state, reason FROM ledger.offsets WHERE partition = 0');
    expect(row).toMatchObject({ state: 'parked', reason: expect.stringContaining('LEDGER_TAMPERED') });
    // Put back and given free: the running process goes on with it.
    await trial.sql(`UPDATE ledger.offsets o SET next_offset = (SELECT max(until_offset) FROM ledger.ranges r WHERE r.partition = 0),
                            claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1 WHERE partition = 0`);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent.each([-7, 7])(
    'by %i while nothing runs: the next start parks it before a record is read',
    async (by) => {
      const { trial, pipeline } = await running();
      await pipeline.stop();
      await trial.sql(edit, [by]);
      const next = trial.define();
      const committed = all(next, 'rangeCommitted');
      await next.start({ until: 'end' });
      await expect(next.finished).rejects.toMatchObject({ code: 'LEDGER_TAMPERED', partition: 0 });
      expect(committed.filter(({ range }) => range.partition === 0)).toEqual([]);
      expect(committed).not.toEqual([]);
      await trial.sql(edit, [-by]);
      await trial.finish();
    },
  );
});

describe('a database that goes back in time', () => {
  it.concurrent('under a running pipeline: rows and ledger went back together, and it goes on from there', async () => {
    const { trial, pipeline } = await running();
    await save(trial);
    await nth(pipeline, 'rangeCommitted', 9);
    await restoreUnder(pipeline, trial);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('to a time of an earlier process', async () => {
    const { trial, pipeline } = await running();
    await pipeline.stop();
    await save(trial);
    const next = trial.define();
    await next.start();
    await nth(next, 'rangeCommitted', 9);
    await restoreUnder(next, trial);
    await expectKeptAtEnd(trial, next);
  });

  it.concurrent('to before the first commit', async () => {
    const trial = await setting().trial({ changes: paced });
    await trial.start({}, 'sink.beforeCommit:kill').then((worker) => worker.ended());
    await save(trial);
    const pipeline = trial.define();
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 9);
    await restoreUnder(pipeline, trial);
    await expectKeptAtEnd(trial, pipeline);
  });

  it.concurrent('while nothing runs', async () => {
    const { trial, pipeline } = await running();
    await save(trial);
    await nth(pipeline, 'rangeCommitted', 9);
    await pipeline.stop();
    await restore(trial);
    await trial.finish();
  });
});

const tables = ['target', 'ledger.offsets', 'ledger.ranges', 'ledger.owners'] as const;

/** A backup of one instant. */
async function save(trial: Trial): Promise<void> {
  const copies = tables.map((table, index) => `CREATE TABLE ledger.saved_${index} AS TABLE ${table}`);
  await trial.sql(`BEGIN ISOLATION LEVEL REPEATABLE READ; ${copies.join(';')}; COMMIT`);
}

/** Everything back as it was, at one instant. */
async function restore(trial: Trial): Promise<void> {
  const inserts = tables.map(
    (table, index) => `INSERT INTO ${table} OVERRIDING SYSTEM VALUE TABLE ledger.saved_${index}`,
  );
  await trial.sql(`BEGIN; TRUNCATE ${tables.join(',')}; ${inserts.join(';')}; COMMIT`);
}

/** Restores, and waits until some partition commits a second time what it had committed. */
async function restoreUnder(pipeline: Pipeline, trial: Trial): Promise<void> {
  const before = new Map(pipeline.status().partitions.map(({ partition, nextOffset }) => [partition, nextOffset]));
  const committed = all(pipeline, 'rangeCommitted');
  await restore(trial);
  await waitUntil('a range to be committed again', () =>
    committed.some(({ range }) => range.fromOffset < (before.get(range.partition) ?? 0n)),
  );
}
