import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import {
  definePipeline,
  type Pipeline,
  type PipelineEvents,
  type PipelineHost,
  type PipelineOptions,
  type StartOptions,
} from '../../src/index.ts';
import { postgresService, waitUntil } from '../services/index.ts';
import { accepts, freePort } from '../services/ports.ts';

/** A pipeline that takes records by HTTP, and its database: what tests of a log's directory and of its surroundings work in. */
export interface IntakeWorld {
  readonly databaseUrl: string;
  /** Folder of directories. */
  readonly folder: string;
  /** A directory for a log, which is not there yet. */
  dir(name?: string): string;
  sql<R extends pg.QueryResultRow = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>;
  /** Payloads in the table, in the order of their numbers; of HTTP, or of another topic. */
  payloads(topic?: string): Promise<readonly string[]>;
  /** The row of the receiver in the ledger. */
  row(): Promise<LedgerRow | undefined>;
  /** Options of the pipeline with its log in `dir` and its HTTP receiver on `port`. */
  options(dir: string, port: number, change?: OptionChange): PipelineOptions;
  /** Starts a process of the pipeline. */
  start(setting?: StartSetting): Promise<IntakeProcess>;
  /** Keeps the sink from committing until the answer is called. */
  hold(): Promise<() => Promise<void>>;
}

export interface LedgerRow {
  readonly topic: string;
  readonly nextOffset: bigint;
  readonly topicId: string;
  readonly state: string;
  readonly reason: string | null;
}

/** Options in place of the usual ones; those of `source` and `wal` one by one. */
export type OptionChange = Partial<Omit<PipelineOptions, 'source' | 'wal'>> & {
  readonly source?: Readonly<Record<string, unknown>>;
  readonly wal?: { readonly segmentBytesMax?: number; readonly retainMs?: number };
};

export interface StartSetting {
  readonly dir?: string;
  readonly change?: OptionChange;
  readonly host?: PipelineHost;
  readonly start?: StartOptions;
}

export interface IntakeProcess {
  readonly pipeline: Pipeline;
  readonly dir: string;
  readonly port: number;
  /** Posts each value as a request of its own, one after the other; answers the status of the last. */
  post(...values: readonly string[]): Promise<number>;
  /** Whether anything listens for requests. */
  listens(): Promise<boolean>;
  /** Events of that name so far. */
  heard<K extends HeardName>(name: K): readonly PipelineEvents[K][];
}

const heardNames = [
  'batchPlanned',
  'blockLogged',
  'degraded',
  'intakeClosed',
  'partitionClaimed',
  'partitionFenced',
  'partitionParked',
  'partitionStandby',
  'rangeCommitted',
  'receiverChanged',
  'recovered',
] as const;
type HeardName = (typeof heardNames)[number];

export const createTaken =
  'CREATE TABLE public.taken (serial bigint GENERATED ALWAYS AS IDENTITY, topic text, number bigint, payload text)';

export async function intakeWorld(pipelineUrl?: (databaseUrl: string) => string): Promise<IntakeWorld> {
  const database = await (await postgresService()).createDatabase('intake');
  onTestFinished(() => database.drop());
  const client = await connect(database.url);
  await client.query(createTaken);
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-intake-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const sql = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await client.query<R>(text, values)).rows;
  const connectionString = pipelineUrl?.(database.url) ?? database.url;
  const options = (dir: string, port: number, change: OptionChange = {}) =>
    intakeOptions({ dir, port, connectionString, change });
  return {
    databaseUrl: database.url,
    folder,
    dir: (name = 'wal') => join(folder, name),
    sql,
    payloads: async (topic = 'receiver:hooks@%') => {
      const rows = await sql<{ payload: string }>(
        'SELECT payload FROM public.taken WHERE topic LIKE $1 ORDER BY number, serial',
        [topic],
      );
      return rows.map(({ payload }) => payload);
    },
    row: () => rowOf(sql),
    options,
    start: ({ dir = join(folder, 'wal'), change, host, start } = {}) =>
      startProcess(dir, (port) => definePipeline(options(dir, port, change), host), start),
    hold: async () => {
      const holder = await connect(database.url);
      await holder.query('BEGIN; LOCK TABLE public.taken IN ACCESS EXCLUSIVE MODE');
      return async () => {
        await holder.query('COMMIT');
      };
    },
  };
}

/** Also for processes that have no test around them. */
export function intakeOptions(of: {
  readonly dir: string;
  readonly port: number;
  readonly connectionString: string;
  readonly change: OptionChange;
}): PipelineOptions {
  const { dir, port, connectionString, change } = of;
  return {
    pipeline: 'intake',
    sink: {
      type: 'postgres',
      connectionString,
      table: 'public.taken',
      columns: { topic: '$topic', number: '$offset', payload: '$value' },
      commitTimeoutMs: 5_000,
    },
    ...change,
    source: {
      mode: 'receiver',
      receivers: [{ type: 'http', name: 'hooks', port, bodyBytesMax: 65_536 }],
      blockBytesMax: 65_536,
      blockIntervalMs: 20,
      ...change.source,
    } as PipelineOptions['source'],
    wal: { dir, segmentBytesMax: 1_048_576, ...change.wal },
  };
}

/** Texts as JSON: `prefix`, and a number from 0 on. */
export function texts(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => JSON.stringify(`${prefix}${n}`));
}

/** Posts one value, a JSON text, as a record; undefined: no answer came. */
export async function postTo(port: number, value: string): Promise<number | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: value,
    });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return undefined;
  }
}

/** Copies a directory as a backup does that knows nothing of locks. */
export async function copyDirectory(from: string, to: string): Promise<string> {
  await cp(from, to, { recursive: true, filter: (path) => !basename(path).startsWith('lock-') });
  return to;
}

async function startProcess(
  dir: string,
  define: (port: number) => Pipeline,
  start: StartOptions | undefined,
): Promise<IntakeProcess> {
  const port = await freePort();
  const pipeline = define(port);
  onTestFinished(() => pipeline.stop({ deadlineMs: 5_000 }).catch(() => {}));
  const heard = new Map<string, unknown[]>();
  for (const name of heardNames) {
    const events: unknown[] = [];
    heard.set(name, events);
    pipeline.events.on(name, (event: unknown) => events.push(event));
  }
  await pipeline.start(start);
  return {
    pipeline,
    dir,
    port,
    listens: () => accepts('127.0.0.1', port),
    heard: <K extends HeardName>(name: K) => heard.get(name) as PipelineEvents[K][],
    post: async (...values) => {
      await waitUntil('the HTTP receiver', () => accepts('127.0.0.1', port));
      let status: number | undefined;
      for (const value of values) status = await postTo(port, value);
      return status ?? 0;
    },
  };
}

async function rowOf(sql: IntakeWorld['sql']): Promise<LedgerRow | undefined> {
  const [row] = await sql<{ topic: string; next: string; topic_id: string; state: string; reason: string | null }>(
    "SELECT topic, next_offset::text AS next, topic_id, state, reason FROM tidemark.offsets WHERE topic LIKE 'receiver:%'",
  );
  if (row === undefined) return undefined;
  const { topic, next, topic_id: topicId, state, reason } = row;
  return { topic, nextOffset: BigInt(next), topicId, state, reason };
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}
