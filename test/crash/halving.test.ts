import { describe, expect, it } from 'vitest';
import type { PipelineEvents } from '../../src/index.ts';
import { type Facts, findViolations } from './checker.ts';
import { appendPlain, type Input, plainRows } from './input.ts';
import { sharedSetting } from './setting.ts';
import { expectKept, type OptionChanges, type Trial, type TrialSetting } from './trial.ts';
import { all, nth } from './watching.ts';

const setting = sharedSetting({ filled: 1, rounds: 1, recordsPerStep: 1 });

/** More than one at once; 23 is no power of two, so that halves are of several sizes. */
const records = 23;

interface Limit {
  readonly sqlstate: string;
  /** Rows that a transaction may hold. */
  readonly rowsMax: number;
}

interface LimitedSetup extends Pick<TrialSetting, 'changes' | 'constraint'> {
  readonly partitions?: number;
  /** Records in each partition. */
  readonly count?: number;
  /** Offsets of partition 0 that are too much by themselves. */
  readonly poisoned?: readonly bigint[];
}

/** A trial on a topic of its own, whose table holds a limit in the name of the server. */
async function limited(
  { sqlstate, rowsMax }: Limit,
  { partitions = 2, count = records, poisoned = [] as readonly bigint[], ...setup }: LimitedSetup = {},
): Promise<Trial> {
  const { environment } = setting();
  const input: Input = { topic: await environment.createTopic({ partitions }), partitions, produced: [] };
  const everyPartition = Array.from({ length: partitions }, (_, partition) => partition);
  await appendPlain(environment, input, everyPartition, count);
  const trial = await setting().trial({ input, ...setup });
  const poison = poisoned.length === 0 ? 'false' : `partition = 0 AND record_offset IN (${poisoned.join(',')})`;
  await trial.sql(`
    CREATE FUNCTION limit_target() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF (SELECT count(*) > ${rowsMax} OR coalesce(bool_or(${poison}), false) FROM target
           WHERE xmin = pg_current_xact_id()::xid) THEN
        RAISE EXCEPTION 'too much at once' USING ERRCODE = '${sqlstate}';
      END IF;
      RETURN NULL;
    END $$`);
  await trial.sql('CREATE TRIGGER limits AFTER INSERT ON target EXECUTE FUNCTION limit_target()');
  return trial;
}

const countsOf = (ranges: readonly PipelineEvents['rangeCommitted'][]) =>
  ranges.reduce((sum, { counts }) => sum + counts.records, 0);
const sizes = (events: readonly { readonly range: { readonly offsetCount: bigint; readonly partition: number } }[]) =>
  events.filter(({ range }) => range.partition === 0).map(({ range }) => Number(range.offsetCount));

const modes: readonly (readonly [string, OptionChanges])[] = [
  ['continuous, one transaction per partition', { batch: { transaction: 'partition' } }],
  ['continuous, one transaction per batch', { batch: { transaction: 'batch' } }],
  ['by a clock, with batches that wait', { batch: { intervalMs: 100, maxQueuedBatches: 3 } }],
];
const states = ['53400', '54000', '57014'];
const cases = modes.flatMap(([mode, changes]) => states.map((sqlstate) => ({ mode, sqlstate, changes })));

describe('a transaction that is too much for the database', () => {
  it.concurrent.each(cases)('$sqlstate, $mode: is halved until it passes', async ({ sqlstate, changes }) => {
    const trial = await limited({ sqlstate, rowsMax: 5 }, { changes });
    const pipeline = trial.define();
    const retried = all(pipeline, 'rangeRetried');
    const committed = all(pipeline, 'rangeCommitted');
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    await expectKept(trial);
    expect(countsOf(committed)).toBe(2 * records);
    // Of each failure a smaller range, and what is left of it planned again from where that one ended.
    expect(sizes(retried).slice(0, 2)).toEqual([records, (records + 1) / 2]);
    expect(Math.max(...sizes(committed))).toBeLessThanOrEqual(5);
    const reached = committed.filter(({ range }) => range.partition === 0);
    for (const [index, { range }] of reached.entries()) {
      expect(range.fromOffset).toBe(reached[index - 1]?.range.untilOffset ?? 0n);
    }
    for (const { error } of retried) expect(error.foreignCode).toBe(sqlstate);
  });

  it.concurrent('of several partitions at one offset each: some of them are left for the next batch', async () => {
    const changes = { batch: { transaction: 'batch' } };
    const trial = await limited({ sqlstate: '54000', rowsMax: 1 }, { partitions: 3, count: 3, changes });
    const pipeline = trial.define();
    const committed = all(pipeline, 'rangeCommitted');
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    await expectKept(trial);
    expect(countsOf(committed)).toBe(9);
  });

  it.concurrent('goes on at its full size once there is room again', async () => {
    const trial = await limited({ sqlstate: '53100', rowsMax: 0 }, { partitions: 1 });
    const pipeline = trial.define();
    const retried = nth(pipeline, 'rangeRetried', 8);
    const degraded = all(pipeline, 'degraded');
    const recovered = nth(pipeline, 'recovered');
    const committed = all(pipeline, 'rangeCommitted');
    await pipeline.start({ until: 'end' });
    // Down to one offset, and again that one: a full disk parks nothing.
    expect((await retried).range.offsetCount).toBe(1n);
    await trial.sql('DROP TRIGGER limits ON target');
    await recovered;
    await pipeline.finished;
    await expectKept(trial);
    expect(degraded).toMatchObject([{ what: 'sink' }]);
    expect(sizes(committed)).toEqual([1, records - 1]);
  });
});

describe('a record that is refused', () => {
  it.concurrent('behind more than passes at once: all that is before it is committed, then its partition parks', async () => {
    const constraint = 'CHECK (partition <> 0 OR record_offset <> 20)';
    const trial = await limited({ sqlstate: '54000', rowsMax: 5 }, { constraint });
    const pipeline = trial.define();
    await pipeline.start({ until: 'end' });
    await expect(pipeline.finished).rejects.toMatchObject({ code: 'SINK_REFUSED', offset: 20n, foreignCode: '23514' });
    expect(await trial.nextOffsets()).toEqual([20n, BigInt(records)]);
    expect(await trial.violations()).toEqual([]);
  });
});

describe('a record that is too much by itself', () => {
  const poison = { poisoned: [7n, 8n] };
  const limit = { sqlstate: '54000', rowsMax: 100 };

  it.concurrent.each(['partition', 'batch'])(
    'stop, one transaction per %s: what is before it is committed',
    async (transaction) => {
      const trial = await limited(limit, { ...poison, changes: { batch: { transaction } } });
      const pipeline = trial.define();
      await pipeline.start({ until: 'end' });
      await expect(pipeline.finished).rejects.toMatchObject({
        code: 'SINK_REFUSED',
        partition: 0,
        offset: 7n,
        foreignCode: '54000',
      });
      expect(await trial.nextOffsets()).toEqual([7n, BigInt(records)]);
      expect(await trial.violations()).toEqual([]);
    },
  );

  it.concurrent.each(['partition', 'batch'])(
    'skip, one transaction per %s: it is passed over and counted',
    async (transaction) => {
      const changes = { batch: { transaction }, onError: { record: 'skip' } };
      const trial = await limited(limit, { ...poison, changes });
      const pipeline = trial.define();
      const skipped = all(pipeline, 'recordSkipped');
      await pipeline.start({ until: 'end' });
      await pipeline.finished;
      expect(skipped.map(({ partition, offset }) => [partition, offset])).toEqual([
        [0, 7n],
        [0, 8n],
      ]);
      const rowsOf: Facts['rowsOf'] = (record) =>
        record.partition === 0 && poison.poisoned.includes(record.offset) ? 'skipped' : plainRows(record);
      expect(findViolations({ ...(await trial.facts()), rowsOf })).toEqual([]);
      expect(await trial.nextOffsets()).toEqual([BigInt(records), BigInt(records)]);
    },
  );
});
