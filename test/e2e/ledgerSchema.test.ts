import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TidemarkError } from '../../src/errors.ts';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import { openConnection, quoteIdentifier } from '../../src/offsets/stores/postgres/index.ts';
import { schemaSteps } from '../../src/offsets/stores/postgres/schema.ts';
import { identifyProcess } from '../../src/platform/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { LedgerPlaces } from '../support/ledgerPlaces.ts';

let database: TestDatabase;
let places: LedgerPlaces;
const roles: string[] = [];

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('schema');
  places = new LedgerPlaces(database.url);
  await places.open();
});

afterAll(async () => {
  await places.close();
  await database.drop();
  // Roles belong to the server, which may be one that stays.
  const { url } = await postgresService();
  const client = await openConnection({ connectionString: url, applicationName: 'roles' });
  for (const role of roles) await client.query(`DROP ROLE ${role}`);
  await client.end();
});

/** Names of a schema's tables and procedures. */
async function contents(schema: string): Promise<string[]> {
  const found = await places.sql<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1 WHERE c.relkind = 'r'
     UNION ALL SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = $1 ORDER BY name`,
    [schema],
  );
  return found.map(({ name }) => name);
}

const complete = ['commit_range', 'controls', 'dead_letters', 'offsets', 'owners', 'ranges', 'version'];

/** Makes a role that may log in and use what it is granted. */
async function newRole(settings = ''): Promise<{ role: string; url: string }> {
  const role = `role_${Math.random().toString(36).slice(2)}`;
  await places.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'secret' ${settings}`);
  roles.push(role);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'secret';
  return { role, url: url.toString() };
}

describe('creating the ledger', () => {
  test('ten processes at once make it once', async () => {
    const schema = places.newSchema();
    await Promise.all(Array.from({ length: 10 }, () => places.newStore({ schema }).open()));
    expect(await contents(schema)).toEqual(complete);
    const versions = await places.sql(`SELECT version FROM ${quoteIdentifier(schema)}.version`);
    expect(versions).toEqual([{ version: 1 }, { version: 2 }]);
  });

  test('every table and every column that is not plain has a comment for people in psql', async () => {
    const schema = places.newSchema();
    await places.newStore({ schema }).open();
    const tables = await places.sql<{ relname: string; comment: string | null; columns: number }>(
      `SELECT c.relname, obj_description(c.oid) AS comment,
              (SELECT count(*)::int FROM pg_attribute a WHERE a.attrelid = c.oid AND col_description(c.oid, a.attnum) IS NOT NULL) AS columns
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`,
      [schema],
    );
    expect(tables).toHaveLength(6);
    for (const { relname, comment } of tables) expect(comment, relname).toMatch(/\w{3}/);
    expect(tables.find(({ relname }) => relname === 'offsets')?.columns).toBeGreaterThanOrEqual(8);
    expect(tables.find(({ relname }) => relname === 'ranges')?.columns).toBeGreaterThanOrEqual(9);
  });

  test('a ledger of version 1 is brought to this version, with what it holds', async () => {
    const schema = places.newSchema();
    const s = quoteIdentifier(schema);
    // As version 1 left it: a gap ended no orders.
    const first = (schemaSteps[0]?.(schema) ?? '').replace(/IF p_kind = 'gap' THEN.*?END IF;/s, '');
    await places.sql(`CREATE SCHEMA ${s}; ${first}; INSERT INTO ${s}.version (version) VALUES (1)`);
    await places.sql(
      `INSERT INTO ${s}.offsets (pipeline, topic, partition, next_offset, topic_id) VALUES ('conformance', 'orders', 0, 5, 'id')`,
    );
    const store = places.newStore({ schema });
    await store.open();
    await store.registerOwner(identifyProcess());
    const skip = {
      topic: 'orders',
      partition: 0,
      order: 'skip',
      fromOffset: 5n,
      untilOffset: 6n,
      reason: 'r',
    } as const;
    await store.order([skip], 'anna');
    const [outcome] = await store.claim([{ topic: 'orders', partition: 0, seenClaim: null }]);
    if (!outcome?.claimed) throw new Error('not claimed');
    const gap = { counts: noCounts(), leaderEpoch: -1, batchTimeMs: 0, kind: 'gap', reason: 'r' } as const;
    await store.commitRanges([{ range: new OffsetRange('orders', 0, 5n, 6n), held: outcome.held, ...gap }]);
    expect([(await store.read())[0]?.nextOffset, await store.controls()]).toEqual([6n, []]);
  });

  test('a newer version is refused, naming both', async () => {
    const schema = places.newSchema();
    const store = places.newStore({ schema });
    await store.open();
    await places.sql(`INSERT INTO ${quoteIdentifier(schema)}.version (version) VALUES (7)`);
    await expect(store.open()).rejects.toMatchObject({
      code: 'STORE_SCHEMA_UNSUPPORTED',
      retriable: false,
      message: `The ledger schema ${schema} has version 7, this tidemark knows versions up to 2`,
    });
  });

  test('a schema that is there and empty is filled, also by a role that may not create schemas', async () => {
    const { role, url } = await newRole();
    const schema = places.newSchema();
    await places.sql(`CREATE SCHEMA ${quoteIdentifier(schema)} AUTHORIZATION ${role}`);
    await places.newStore({ schema, connectionString: url }).open();
    expect(await contents(schema)).toEqual(complete);
  });

  test('a role that may create nothing works with a ledger that is there', async () => {
    const { role, url } = await newRole();
    const schema = places.newSchema();
    await places.newStore({ schema }).open();
    const s = quoteIdentifier(schema);
    await places.sql(`GRANT USAGE ON SCHEMA ${s} TO ${role}`);
    await places.sql(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${s} TO ${role}`);
    const store = places.newStore({ schema, connectionString: url });
    await store.open();
    await store.initialise([{ topic: 'orders', partition: 0, nextOffset: 5n, topicId: 'id' }]);
    expect((await store.read())[0]?.nextOffset).toBe(5n);
  });

  test('a role that may create nothing is told what to grant', async () => {
    const { url } = await newRole();
    const store = places.newStore({ schema: places.newSchema(), connectionString: url });
    const error = await store.open().catch((failure: TidemarkError) => failure);
    expect(error).toMatchObject({ code: 'STORE_REQUEST_FAILED', foreignCode: '42501', retriable: false });
    expect((error as TidemarkError).hint).toMatch(/Grant .* CREATE on the database/);
  });

  test('a process that dies half-way leaves nothing, and nothing that keeps others waiting', async () => {
    const schema = 'half_way';
    const child = await run('openLedger.ts', [database.url, schema], 'store.midMigration:kill');
    expect(child).toMatchObject({ signal: 'SIGKILL' });
    expect(await contents(schema)).toEqual([]);
    await places.newStore({ schema }).open();
    expect(await contents(schema)).toEqual(complete);
    expect(await run('openLedger.ts', [database.url, 'other'], 'store.midMigration@3:kill')).toMatchObject({ code: 0 });
  });

  test('a name the server would cut off is refused', () => {
    expect(() => places.newStore({ schema: 'é'.repeat(32) })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('64') }),
    );
    expect(() => places.newStore({ schema: '' })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => places.newStore({ schema: 'x', pipeline: 'x'.repeat(1001) })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', path: 'pipeline' }),
    );
  });

  test('a pipeline name of a thousand bytes fits into every key', async () => {
    const schema = places.newSchema();
    const store = places.newStore({ schema, pipeline: 'é'.repeat(500) });
    await store.open();
    await store.initialise([{ topic: 't'.repeat(249), partition: 0, nextOffset: 5n, topicId: 'id' }]);
    expect(await store.read()).toHaveLength(1);
  });
});

describe('a role with other defaults', () => {
  const settings = {
    'repeatable read': "default_transaction_isolation = 'repeatable read'",
    serializable: "default_transaction_isolation = 'serializable'",
    'read only': 'default_transaction_read_only = on',
    'old strings': 'standard_conforming_strings = off',
    'a search path of traps': 'search_path = traps, pg_catalog',
  };

  test.each(Object.entries(settings))('%s', async (_, setting) => {
    const { role, url } = await newRole('SUPERUSER');
    await places.sql(`ALTER ROLE ${role} SET ${setting}`);
    await places.sql('CREATE SCHEMA IF NOT EXISTS traps');
    await places.sql(
      'CREATE OR REPLACE FUNCTION traps.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT NULL::timestamptz $$',
    );
    await places.sql('CREATE TABLE IF NOT EXISTS traps.offsets (nothing int)');
    const schema = places.newSchema();
    const stores = Array.from({ length: 4 }, () => places.newStore({ schema, connectionString: url }));
    await Promise.all(stores.map((store) => store.open()));
    await Promise.all(
      stores.map((store, pid) => store.registerOwner({ instanceId: `i${pid}\\'`, host: 'h', bootId: '', pid })),
    );
    await Promise.all(
      stores.map((store) => store.initialise([{ topic: 'or\\ders', partition: 0, nextOffset: 0n, topicId: 'id' }])),
    );
    // Several at once: a snapshot of the whole transaction would fail with a serialization error.
    for (let round = 0n; round < 5n; round += 1n) {
      const [row] = await places.newStore({ schema, connectionString: url }).read();
      const outcomes = await Promise.all(
        stores.map((store) => store.claim([{ topic: 'or\\ders', partition: 0, seenClaim: row?.claim ?? null }])),
      );
      expect(outcomes.flat().filter(({ claimed }) => claimed)).toHaveLength(1);
    }
    expect((await stores[0]?.read())?.[0]?.ownerEpoch).toBe(5n);
  });
});

test('a statement of ours has its own time, whatever the role has', async () => {
  const { role, url } = await newRole('SUPERUSER');
  await places.sql(`ALTER ROLE ${role} SET statement_timeout = '200ms'`);
  const schema = places.newSchema();
  const store = places.newStore({ schema, connectionString: url });
  await store.open();
  await store.registerOwner({ instanceId: 'me', host: 'h', bootId: '', pid: 1 });
  await store.initialise([{ topic: 'orders', partition: 0, nextOffset: 0n, topicId: 'id' }]);
  await places.sql('BEGIN');
  await places.sql(`SELECT FROM ${quoteIdentifier(schema)}.offsets FOR UPDATE`);
  const claim = store.claim([{ topic: 'orders', partition: 0, seenClaim: null }]);
  await places.sql('SELECT pg_sleep(0.5)');
  await places.sql('COMMIT');
  expect((await claim)[0]?.claimed).toBe(true);
});

/** Runs a program of test/fixtures with a failpoint. */
function run(
  file: string,
  args: readonly string[],
  failpoint: string,
): Promise<{ code: number | null; signal: string | null }> {
  const path = fileURLToPath(new URL(`../fixtures/${file}`, import.meta.url));
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? '', TIDEMARK_FAILPOINT: failpoint };
    const child = execFile(process.execPath, ['--import', 'jiti/register', path, ...args], { env }, () => {
      resolve({ code: child.exitCode, signal: child.signalCode });
    });
  });
}
