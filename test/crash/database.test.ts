import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type PostgresService,
  pgbouncerService,
  postgresService,
  skipWithout,
  type TcpProxy,
  type TestDatabase,
  tcpProxy,
  waitUntil,
} from '../services/index.ts';
import { sharedSetting } from './setting.ts';
import type { Trial } from './trial.ts';
import { all, expectKeptAtEnd, nth, paced } from './watching.ts';

const setting = sharedSetting();
describe('a database that restarts', () => {
  let owned: PostgresService;
  let database: TestDatabase;
  beforeAll(async () => {
    owned = await postgresService({ owned: true });
    database = await owned.createDatabase('restarted');
  });
  afterAll(() => owned.stop());

  it('nothing is lost and nothing doubled, whether it stops in order or crashes', async () => {
    const trial = await setting().trial({ database, changes: paced });
    const pipeline = trial.define();
    await pipeline.start();
    for (const mode of ['fast', 'immediate'] as const) {
      await nth(pipeline, 'rangeCommitted', 5);
      const degraded = nth(pipeline, 'degraded');
      await owned.restart(mode, async () => {
        await degraded;
      });
      // Asked of the status, not of an event: it may have recovered before the restart was over.
      await waitUntil('the pipeline to work again', () => pipeline.status().ready === 'ready');
    }
    expect(pipeline.status().partitions.every(({ state }) => state === 'running')).toBe(true);
    await expectKeptAtEnd(trial, pipeline);
  });
});

describe('a connection that breaks around the commit', () => {
  let proxy: TcpProxy;
  let postgres: PostgresService;
  beforeAll(async () => {
    postgres = await postgresService();
  });

  /** A trial through a proxy that does `verdict` to the first commits of the sink. */
  async function trialWith(verdict: 'loseReply' | 'cut', times: number): Promise<{ trial: Trial; seen: () => number }> {
    proxy = await tcpProxy(postgres);
    let seen = 0;
    proxy.onClientData((data) => {
      if (!data.includes('CALL ') || seen >= times) return 'pass';
      seen += 1;
      return verdict;
    });
    const url = new URL(setting().database.url);
    url.host = `${proxy.host}:${proxy.port}`;
    return { trial: await setting().trial({ pipelineUrl: url.toString() }), seen: () => seen };
  }

  it.each([
    ['between the commit and its answer: it happened', 'loseReply'],
    ['before the commit arrived: it did not happen', 'cut'],
  ] as const)('%s', async (_, verdict) => {
    const { trial, seen } = await trialWith(verdict, 4);
    const pipeline = trial.define();
    const retried = all(pipeline, 'rangeRetried');
    const committed = all(pipeline, 'rangeCommitted');
    await pipeline.start();
    await expectKeptAtEnd(trial, pipeline);
    expect(seen()).toBe(4);
    // What happened was told, once.
    const [ledger] = await trial.sql<{ records: number }>('SELECT sum(records)::int AS records FROM ledger.ranges');
    expect(committed.reduce((sum, { counts }) => sum + counts.records, 0)).toBe(ledger?.records);
    // The doubt was settled by the ledger: each of them cost a fresh claim, none a blind repetition.
    const [sum] = await trial.sql<{ epochs: number }>('SELECT sum(owner_epoch)::int AS epochs FROM ledger.offsets');
    expect(sum?.epochs).toBe(4 + trial.input.partitions);
    expect(retried).toEqual([]);
    await proxy.close();
  });

  it('a commit that its client gave up on, and that the server carries out later, counts once', async () => {
    const trial = await setting().trial({
      changes: { ...paced, sink: { commitTimeoutMs: 300, lockTimeoutMs: 20_000 } },
    });
    const pipeline = trial.define();
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 5);
    await trial.holding('SELECT FROM ledger.offsets WHERE partition = 0 FOR UPDATE', async () => {
      // The forgotten commit waits for the row, and behind it the claim that is to settle what became of it.
      await waitUntil('the claim to wait for the row', async () => {
        const waiting = await trial.sql(
          `SELECT FROM pg_stat_activity
            WHERE application_name = $1 AND wait_event_type = 'Lock' AND query NOT LIKE '%CALL %'`,
          [`tidemark:${pipeline.status().instanceId}`],
        );
        return waiting.length === 1;
      });
    });
    await expectKeptAtEnd(trial, pipeline);
  });
});

describe('a database with its own ideas', () => {
  it('a default isolation level, or read-only as a default, changes nothing', async () => {
    const database = await (await postgresService()).createDatabase('strict');
    const trial = await setting().trial({ database, changes: paced });
    for (const setting of ["default_transaction_isolation = 'repeatable read'", 'default_transaction_read_only = on']) {
      await trial.sql(
        `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ${setting.replaceAll("'", "''")}', current_database()); END $$`,
      );
    }
    const [first, second] = [trial.define(), trial.define()];
    const troubles = [first, second].flatMap((pipeline) => [all(pipeline, 'rangeRetried'), all(pipeline, 'degraded')]);
    await first.start();
    await nth(first, 'rangeCommitted', 5);
    await second.start({ takeOver: true });
    await expectKeptAtEnd(trial, first, second);
    expect(troubles.flat()).toEqual([]);
    await database.drop();
  });

  it('a deferred constraint is checked before the ledger, and what it refuses is not committed', async () => {
    const trial = await setting().trial({
      constraint: 'UNIQUE (partition, record_offset) DEFERRABLE INITIALLY DEFERRED',
    });
    const { offset } = trial.input.produced.find(({ partition, offset }) => partition === 1 && offset > 60n) ?? {
      offset: 0n,
    };
    await trial.sql('INSERT INTO target (partition, record_offset) VALUES (1, $1)', [offset]);
    const pipeline = trial.define();
    await pipeline.start({ until: 'end' });
    const refused = { code: 'SINK_REFUSED', partition: 1, foreignCode: '23505' };
    await expect(pipeline.finished).rejects.toMatchObject(refused);
    // The record is in these offsets, and its key is in what the database said.
    const { error } = pipeline.status().partitions[1] ?? {};
    expect(error).toMatchObject({ ...refused, hint: expect.stringContaining('batch.maxRecordsPerPartition: 1') });
    expect(error?.message).toContain(`Key (partition, record_offset)=(1, ${offset}) already exists.`);
    expect(error?.message).toContain(`[${error?.fromOffset}, ${error?.untilOffset}) of ${trial.input.topic}-1`);
    expect(error?.fromOffset).toBeLessThanOrEqual(offset);
    expect(error?.untilOffset).toBeGreaterThan(offset);
    await trial.sql('DELETE FROM target WHERE payload IS NULL');
    expect(await trial.violations()).toEqual([]);
    const [, parkedAt, finished] = await trial.nextOffsets();
    expect(parkedAt).toBeLessThanOrEqual(offset);
    expect(finished).toBeGreaterThan(offset);
    await trial.finish();
  });

  it('an unlogged target is refused at start: it would be empty after a crash of the server', async () => {
    const trial = await setting().trial({ kind: 'UNLOGGED' });
    await expect(trial.define().start()).rejects.toMatchObject({ code: 'SINK_TABLE_UNSUITABLE' });
  });

  it('behind PgBouncer in transaction mode nothing is lost and nothing doubled', async (context) => {
    const bouncer = await pgbouncerService(setting().database.url);
    if ('missing' in bouncer) return skipWithout(context, 'pgbouncer', bouncer.missing);
    const trial = await setting().trial({ pipelineUrl: bouncer.url });
    const worker = await trial.start({}, 'sink.midCopy@5:kill');
    expect(await worker.ended(), worker.logTail()).toEqual({ signal: 'SIGKILL', code: null });
    await trial.finish();
    await bouncer.stop();
  });
});
