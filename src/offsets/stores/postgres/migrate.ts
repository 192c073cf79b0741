import type pg from 'pg';
import { TidemarkError } from '../../../errors.ts';
import { failpoint, withDeadline } from '../../../platform/index.ts';
import { destroy, leave, openConnection } from './connection.ts';
import { classifyPgError, storeContext } from './failures.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';
import { type RequestOptions, settings } from './requests.ts';
import { schemaSteps, schemaVersion } from './schema.ts';

/**
 * Makes the schema, or brings it to this version. One transaction under an advisory lock: of two processes that start at once
 * one waits and then finds it done, and a process that dies half-way leaves nothing. A role that may not create anything
 * can use a schema that is there.
 */
export function migrate(options: RequestOptions, schema: string): Promise<void> {
  return withClient(options, schema, (query) => bringUp(query, schema, options.requestDeadlineMs));
}

/** Version of the schema that is there, 0 = none. Changes nothing. Rejects with STORE_SCHEMA_UNSUPPORTED like `migrate`. */
export function lookAt(options: RequestOptions, schema: string): Promise<number> {
  return withClient(options, schema, (query) => currentVersion(query, schema, options.requestDeadlineMs));
}

async function withClient<T>(options: RequestOptions, schema: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await openConnection(options);
  const { clock, requestDeadlineMs, signal } = options;
  const giveUp = () => destroy(client);
  signal?.addEventListener('abort', giveUp, { once: true });
  const doing = `Looking after the ledger schema ${schema}`;
  let result: T;
  try {
    const late = () =>
      new TidemarkError('STORE_UNREACHABLE', `${doing}: no answer within ${requestDeadlineMs} ms`, { retriable: true });
    result = await work((text) => withDeadline(client.query(text), requestDeadlineMs, clock, late));
  } catch (error) {
    // In the middle of a transaction this rolls back.
    destroy(client);
    throw classifyPgError(error, storeContext(doing));
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
  await leave(client, clock);
  return result;
}

type Query = <R extends pg.QueryResultRow>(text: string) => Promise<pg.QueryResult<R>>;

async function begin(query: Query, mode: string, statementMs: number): Promise<void> {
  await query([`BEGIN ISOLATION LEVEL READ COMMITTED ${mode}`, ...settings(statementMs)].join(';'));
}

async function currentVersion(query: Query, schema: string, statementMs: number): Promise<number> {
  await begin(query, 'READ ONLY', statementMs);
  const version = requireKnown(await versionOf(query, schema), schema);
  await query('COMMIT');
  return version;
}

async function bringUp(query: Query, schema: string, statementMs: number): Promise<void> {
  if ((await currentVersion(query, schema, statementMs)) === schemaVersion) return;
  await begin(query, 'READ WRITE', statementMs);
  await query(`SELECT pg_advisory_xact_lock(hashtextextended(${quoteLiteral(`tidemark:${schema}`)}, 0))`);
  // Looked at again under the lock: whoever waited may find it done.
  const found = requireKnown(await versionOf(query, schema), schema);
  if (found === 0 && !(await hasSchema(query, schema))) await query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  for (const [index, step] of schemaSteps.slice(found).entries()) {
    await query(step(schema));
    failpoint('store.midMigration');
    await query(`INSERT INTO ${quoteIdentifier(schema)}.version (version) VALUES (${found + index + 1})`);
  }
  await query('COMMIT');
}

/** CREATE SCHEMA IF NOT EXISTS would ask for the right to create also where there is nothing to create. */
async function hasSchema(query: Query, schema: string): Promise<boolean> {
  const { rows } = await query(`SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${quoteLiteral(schema)}`);
  return rows.length > 0;
}

/**
 * 0 = nothing is there yet. Looked up in the catalog, not by to_regclass: that answers from a cache, and whoever waited for the
 * advisory lock in this transaction would not see what the one before has made.
 */
async function versionOf(query: Query, schema: string): Promise<number> {
  const { rows: tables } = await query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ${quoteLiteral(schema)} AND c.relname = 'version'`,
  );
  if (tables.length === 0) return 0;
  const select = `SELECT max(version) AS version FROM ${quoteIdentifier(schema)}.version`;
  const { rows } = await query<{ version: number | null }>(select);
  return rows[0]?.version ?? 0;
}

function requireKnown(version: number, schema: string): number {
  if (version <= schemaVersion) return version;
  throw new TidemarkError(
    'STORE_SCHEMA_UNSUPPORTED',
    `The ledger schema ${schema} has version ${version}, this tidemark knows versions up to ${schemaVersion}`,
    { hint: 'Run the version of tidemark that wrote it, or a newer one; or name another sink.ledgerSchema.' },
  );
}
