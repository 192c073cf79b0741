import assert from 'node:assert/strict';
import pg from 'pg';
import { definePipeline, type Pipeline, type PipelineOptions, type Transform } from '../../src/index.ts';
import { type TestDatabase, waitUntil } from '../services/index.ts';
import {
  type Facts,
  findViolations,
  type LedgerPosition,
  type LedgerRange,
  summaryOf,
  type Violation,
} from './checker.ts';
import { type Input, plainRows, splitRows } from './input.ts';
import { startWorker, type Worker, type WorkerRun } from './workerProcess.ts';

/** A pipeline with a ledger and a table of its own, that is put on trial. */
export interface Trial {
  readonly input: Input;
  /** What a worker needs to run the pipeline. */
  run(run?: TrialRun): WorkerRun;
  /** The pipeline in this process, on the sources. */
  define(changes?: OptionChanges, transform?: Transform): Pipeline;
  /** Starts a worker process with the pipeline. */
  start(run?: TrialRun, failpoint?: string): Promise<Worker>;
  /** SQL against the trial's database; `ledger` and `target` in it stand for the schema and the table. */
  sql<R extends pg.QueryResultRow = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>;
  /** Runs `work` inside of a transaction that holds what `text` locks, then commits it. */
  holding(text: string, work: () => Promise<void>): Promise<void>;
  /** What the ledger says, by partition. */
  nextOffsets(): Promise<readonly bigint[]>;
  facts(): Promise<Facts>;
  violations(): Promise<readonly Violation[]>;
  /** Runs a worker until every partition is at its end, and expects the promise to be kept. */
  finish(run?: TrialRun): Promise<void>;
}

export interface OptionChanges {
  readonly [group: string]: Record<string, unknown> | string | number | undefined;
}

export interface TrialRun extends Pick<WorkerRun, 'transform' | 'seeded'> {
  readonly changes?: OptionChanges;
  readonly start?: Record<string, unknown>;
}

export interface TrialSetting {
  readonly database: TestDatabase;
  readonly brokers: readonly string[];
  readonly input: Input;
  /** Counts for all runs of the trial. */
  readonly changes?: OptionChanges;
  /** The worker's transform, for all runs of the trial. */
  readonly transform?: 'split';
  /** Where the pipeline reaches the database, when that is not where the test does. */
  readonly pipelineUrl?: string;
  /** Definition behind the columns of the target table, e.g. a constraint. */
  readonly constraint?: string;
  readonly kind?: 'UNLOGGED';
}

let trials = 0;

/** Makes the table; the ledger is made by the pipeline itself. */
export async function newTrial(setting: TrialSetting): Promise<Trial> {
  trials += 1;
  const name = `trial_${trials}`;
  const { database, input } = setting;
  const ledgerSchema = `ledger_${trials}`;
  const real = (text: string) => text.replaceAll('ledger.', `${ledgerSchema}.`).replaceAll('target', name);
  const connected = async <T>(use: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => {});
    try {
      await client.connect();
      return await use(client);
    } finally {
      await client.end();
    }
  };
  const sql = <R extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<R[]> =>
    connected(async (client) => (await client.query<R>(real(text), values)).rows);
  const holding = (text: string, work: () => Promise<void>) =>
    connected(async (client) => {
      await client.query(`BEGIN; ${real(text)}`);
      await work();
      await client.query('COMMIT');
    });
  const constraint = setting.constraint === undefined ? '' : `, ${setting.constraint}`;
  await sql(`CREATE ${setting.kind ?? ''} TABLE target (
    serial bigint GENERATED ALWAYS AS IDENTITY, partition int, record_offset bigint, payload text${constraint})`);
  const base = baseOptions(setting, name, ledgerSchema);
  const options = (changes: OptionChanges = {}) => merged(merged(base, setting.changes ?? {}), changes);
  const withTransform = setting.transform === undefined ? {} : { transform: setting.transform };
  const runOf = ({ changes, ...rest }: TrialRun = {}) => ({ ...withTransform, ...rest, options: options(changes) });
  const start = (run?: TrialRun, failpoint?: string) => startWorker([runOf(run)], failpoint);
  const define = (changes?: OptionChanges, transform?: Transform) =>
    definePipeline({ ...options(changes), transform } as unknown as PipelineOptions);
  const facts = () => readFacts(sql, input, setting.transform === 'split' ? splitRows : plainRows);
  const violations = async () => findViolations(await facts());
  const nextOffsets = async () => (await facts()).positions.map(({ nextOffset }) => nextOffset);
  const finish = async (run: TrialRun = {}) => {
    const worker = await start({ ...run, start: { until: 'end', ...run.start } });
    assert.deepEqual(await worker.ended(), { code: 0, signal: null }, worker.logTail());
    await expectKept({ facts, input });
  };
  return { input, run: runOf, define, start, sql, holding, nextOffsets, facts, violations, finish };
}

/** Every committed record is below `next_offset`, and no invariant is broken. */
export async function expectKept({ facts, input }: Pick<Trial, 'facts' | 'input'>): Promise<void> {
  const known = await facts();
  assert.equal(summaryOf(findViolations(known)), '');
  const unread = input.produced.filter(
    ({ partition, offset, fate }) => fate === 'committed' && offset >= (known.positions[partition]?.nextOffset ?? 0n),
  );
  assert.deepEqual(unread, [], 'records behind next_offset');
  assert.equal(known.positions.length, input.partitions, 'partitions in the ledger');
}

/** Waits until every record that is committed by now is below `next_offset`. */
export async function waitUntilDone({ sql, input }: Pick<Trial, 'sql' | 'input'>, limitMs = 60_000): Promise<void> {
  const ends = new Map<number, bigint>();
  for (const { partition, offset, fate } of input.produced) if (fate === 'committed') ends.set(partition, offset);
  const isDone = async () => {
    const rows = await sql<{ partition: number; next: string }>(
      'SELECT partition, next_offset AS next FROM ledger.offsets',
    );
    const next = new Map(rows.map((row) => [row.partition, BigInt(row.next)]));
    return [...ends].every(([partition, offset]) => (next.get(partition) ?? -1n) > offset);
  };
  await waitUntil('every record to be committed', isDone, { limitMs });
}

function baseOptions(setting: TrialSetting, name: string, ledgerSchema: string): Record<string, unknown> {
  return {
    pipeline: name,
    kafka: { brokers: setting.brokers },
    source: { topics: [setting.input.topic] },
    // Small ranges: there are many first and later passes.
    batch: { maxRecordsPerPartition: 25, lingerMs: 0 },
    sink: {
      type: 'postgres',
      connectionString: setting.pipelineUrl ?? setting.database.url,
      table: name,
      ledgerSchema,
      ...(setting.transform === undefined
        ? { columns: { partition: '$partition', record_offset: '$offset', payload: '$value' } }
        : {}),
    },
  };
}

function merged(base: Record<string, unknown>, changes: OptionChanges): Record<string, unknown> {
  const result = { ...base };
  for (const [name, change] of Object.entries(changes)) {
    const group = result[name];
    result[name] =
      typeof change === 'object' && typeof group === 'object' ? { ...(group as object), ...change } : change;
  }
  return result;
}

async function readFacts(sql: Trial['sql'], input: Input, rowsOf: Facts['rowsOf']): Promise<Facts> {
  const [snapshot] = await sql<{ rows: Plain[]; positions: Plain[]; ranges: Plain[] }>(snapshotQuery, [input.topic]);
  if (snapshot === undefined) throw new Error('no snapshot');
  return {
    firstOffsets: Array.from({ length: input.partitions }, () => 0n),
    produced: input.produced,
    rowsOf,
    rows: snapshot.rows.map((row) => ({
      partition: Number(row.partition),
      offset: BigInt(row.record_offset ?? -1),
      value: String(row.payload),
      serial: BigInt(row.serial ?? -1),
    })),
    positions: snapshot.positions.map(positionOf).sort((a, b) => a.partition - b.partition),
    ranges: snapshot.ranges.map(rangeOf),
  };
}

/** Columns as text. */
export type Plain = Readonly<Record<string, string | null>>;

/** A row of the ledger's `offsets`. */
export function positionOf(row: Plain): LedgerPosition {
  return {
    partition: Number(row.partition),
    nextOffset: BigInt(row.next_offset ?? -1),
    ownerEpoch: BigInt(row.owner_epoch ?? -1),
  };
}

/** A row of the ledger's `ranges`. */
export function rangeOf(row: Plain): LedgerRange {
  return {
    partition: Number(row.partition),
    seq: BigInt(row.seq ?? -1),
    incarnation: BigInt(row.incarnation ?? -1),
    fromOffset: BigInt(row.from_offset ?? -1),
    untilOffset: BigInt(row.until_offset ?? -1),
    records: BigInt(row.records ?? -1),
    produced: BigInt(row.produced ?? -1),
    rows: BigInt(row.rows ?? -1),
    dropped: BigInt(row.dropped ?? -1),
    skipped: BigInt(row.skipped ?? -1),
    deadLettered: BigInt(row.dead_lettered ?? -1),
    owner: row.owner ?? null,
    ownerEpoch: BigInt(row.owner_epoch ?? -1),
    kind: String(row.kind),
    reason: row.reason ?? null,
  };
}

/** One statement, so that rows and ledger are seen at the same instant, also while work goes on. */
const snapshotQuery = `
  WITH texts (what, entry) AS (
    SELECT 'rows', to_jsonb(t) FROM target t
    UNION ALL SELECT 'positions', to_jsonb(o) FROM ledger.offsets o WHERE topic = $1
    UNION ALL SELECT 'ranges', to_jsonb(r) FROM ledger.ranges r WHERE topic = $1
  ), lists AS (
    SELECT what, jsonb_agg((SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(entry))) AS entries
    FROM texts GROUP BY what
  )
  SELECT coalesce((SELECT entries FROM lists WHERE what = 'rows'), '[]') AS rows,
         coalesce((SELECT entries FROM lists WHERE what = 'positions'), '[]') AS positions,
         coalesce((SELECT entries FROM lists WHERE what = 'ranges'), '[]') AS ranges`;
