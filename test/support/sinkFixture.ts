import { Client, type QueryResultRow } from 'pg';
import { createPostgresSink, type PostgresSinkOptions } from '../../src/sinks/postgres/index.ts';
import { type SinkProcess, startProcess } from '../../src/testkit/sinkConformance/process.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { sinkOptions } from './sinkOptions.ts';

/** A database of its own, and processes that write into its tables. */
export interface SinkFixture {
  readonly database: TestDatabase;
  readonly client: Client;
  query<R extends QueryResultRow = Record<string, unknown>>(text: string, values?: unknown[]): Promise<R[]>;
  /** Starts a process of a pipeline of its own unless one is named; closed at the end. */
  start(options: FixtureOptions): Promise<SinkProcess>;
  close(): Promise<void>;
}

export interface FixtureOptions extends Partial<PostgresSinkOptions> {
  readonly table: string;
  readonly pipeline?: string;
  readonly hasTransform?: boolean;
}

export async function sinkFixture(prefix: string): Promise<SinkFixture> {
  const database = await (await postgresService()).createDatabase(prefix);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const processes: SinkProcess[] = [];
  return {
    database,
    client,
    query: async <R extends QueryResultRow>(text: string, values?: unknown[]) =>
      (await client.query<R>(text, values)).rows,
    start: async ({ pipeline = `pipeline-${processes.length}`, hasTransform = false, ...options }) => {
      const target = {
        newSink: (context: Parameters<typeof createPostgresSink>[1]) =>
          createPostgresSink(sinkOptions(database.url, options), { ...context, pipeline }),
      };
      const process = await startProcess(target, hasTransform);
      processes.push(process);
      return process;
    },
    close: async () => {
      for (const process of processes) await process.close();
      await client.end();
      await database.drop();
    },
  };
}
