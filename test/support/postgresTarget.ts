import { Client } from 'pg';
import type { Sink, SinkContext } from '../../src/sinks/index.ts';
import { createPostgresSink, postgres } from '../../src/sinks/postgres/index.ts';
import type { SinkTarget, StoredRow } from '../../src/testkit/index.ts';
import { type TestDatabase, waitUntil } from '../services/index.ts';

/** The value that the constraint of the target refuses. */
export const refusedValue = 'refused by the table';

/** Makes the sink of one process for a table and a ledger. */
export type MakeSink = (
  options: {
    readonly url: string;
    readonly table: string;
    readonly hasTransform: boolean;
  },
  context: SinkContext,
) => Sink;

export const makeCopySink: MakeSink = ({ url, table, hasTransform }, context) =>
  createPostgresSink(
    {
      type: 'postgres',
      connectionString: url,
      table,
      mode: 'insert',
      columns: {
        partition: '$partition',
        record_offset: '$offset',
        value: hasTransform ? 'value' : '$value',
        ...(hasTransform ? { n: 'n' } : {}),
      },
      createTable: false,
      ledgerSchema: 'tidemark',
      connections: 2,
      lockTimeoutMs: 5000,
      commitTimeoutMs: 30_000,
    },
    context,
  );

export const makeFunctionSink: MakeSink = ({ url, table, hasTransform }, context) =>
  postgres
    .transaction(
      async ({ records, rows }, client) => {
        const inserted = hasTransform
          ? rows.map(({ record, row }) => [record.partition, record.offset, row.value, row.n])
          : records.map((record) => [record.partition, record.offset, record.text(), 0]);
        await client.query(
          `INSERT INTO ${table} SELECT p, o, v, n FROM json_to_recordset($1) AS r (p int, o bigint, v text, n int)`,
          [JSON.stringify(inserted.map(([p, o, v, n]) => ({ p, o: String(o), v, n })))],
        );
      },
      { connectionString: url },
    )
    .createSink(context);

/** Tables and ledgers of their own in one database. */
export class PostgresTargets {
  readonly #database: TestDatabase;
  readonly #makeSink: MakeSink;
  readonly #client: Client;
  readonly #prefix: string;
  #made = 0;

  constructor(database: TestDatabase, makeSink: MakeSink, prefix = 'target') {
    this.#prefix = prefix;
    this.#database = database;
    this.#makeSink = makeSink;
    this.#client = new Client({ connectionString: database.url });
  }

  async open(): Promise<void> {
    await this.#client.connect();
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async newTarget(): Promise<SinkTarget> {
    this.#made += 1;
    const table = `${this.#prefix}_${this.#made}`;
    // One schema for all: a ledger tells pipelines apart.
    const pipeline = `${this.#prefix}-${this.#made}`;
    await this.#client.query(`
      CREATE TABLE ${table} (
        partition int, record_offset bigint, value text CHECK (value <> '${refusedValue}'), n int NOT NULL DEFAULT 0
      )`);
    const url = this.#database.url;
    return {
      newSink: (context, hasTransform) => this.#makeSink({ url, table, hasTransform }, { ...context, pipeline }),
      rows: () => this.#rows(table),
      cutTransactions: (instanceId) => this.#cut(instanceId),
    };
  }

  async #rows(table: string): Promise<readonly StoredRow[]> {
    const found = await this.#client.query<{ partition: number; record_offset: string; value: string; n: number }>(
      `SELECT * FROM ${table} ORDER BY partition, record_offset, n`,
    );
    return found.rows.map(({ partition, record_offset, value, n }) => ({
      partition,
      offset: BigInt(record_offset),
      value,
      n,
    }));
  }

  async #cut(instanceId: string): Promise<void> {
    // A transaction may begin at any time, its bytes may still be on their way.
    const text = `
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND xact_start IS NOT NULL`;
    await waitUntil('the transactions to be gone', async () => {
      return (await this.#client.query(text, [`tidemark:${instanceId}`])).rowCount === 0;
    });
  }
}
