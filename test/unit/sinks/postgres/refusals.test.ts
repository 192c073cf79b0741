import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TidemarkError } from '../../../../src/errors.ts';
import { copyPlace } from '../../../../src/sinks/postgres/failures.ts';
import {
  appendAll,
  chunk,
  commitOf,
  failureOf,
  nextOffsets,
  type SinkProcess,
  write,
} from '../../../../src/testkit/sinkConformance/process.ts';
import { waitUntil } from '../../../services/index.ts';
import { type SinkFixture, sinkFixture } from '../../../support/sinkFixture.ts';

let fixture: SinkFixture;
let tables = 0;

beforeAll(async () => {
  fixture = await sinkFixture('refusals');
});
afterAll(() => fixture.close());

const columns = { p: '$partition', o: '$offset', v: '$value.v' };

/** A table of p, o and v, with more definitions, and a process that writes into it. */
async function target(
  more: string,
  hasTransform = false,
): Promise<{ readonly table: string; readonly process: SinkProcess }> {
  tables += 1;
  const table = `t${tables}`;
  await fixture.query(`CREATE TABLE ${table} (p int, o bigint, v bigint${more === '' ? '' : `, ${more}`})`);
  const process = await fixture.start({
    table,
    hasTransform,
    lockTimeoutMs: 300,
    ...(hasTransform ? {} : { columns }),
  });
  return { table, process };
}

const values = (list: readonly unknown[]) => list.map((v) => JSON.stringify({ v }));

async function refusal(process: SinkProcess, records = chunk(0, 0n, values([1, 2, 3, 4]))): Promise<TidemarkError> {
  const error = await failureOf(write(process, records));
  expect(await nextOffsets(process.store)).toStrictEqual([0n, 0n, 0n]);
  return error;
}

test.each<[string, string, (table: string) => string]>([
  ['a check', 'CHECK (v <> 3)', () => ''],
  ['a primary key', 'PRIMARY KEY (v)', (table) => `INSERT INTO ${table} VALUES (0, 0, 3)`],
  [
    'a trigger',
    'other int',
    (table) => `
      CREATE FUNCTION ${table}_f() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.v = 3 THEN RAISE EXCEPTION 'no threes'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER t BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_f()`,
  ],
])('%s that refuses a row names its record', async (_what, more, prepare) => {
  const { table, process } = await target(more);
  await fixture.query(prepare(table));
  const before = await fixture.query(`SELECT FROM ${table}`);
  const error = await refusal(process);
  expect(error).toMatchObject({
    code: 'SINK_REFUSED',
    topic: 'conformance',
    partition: 0,
    offset: 2n,
    retriable: false,
  });
  expect(error.message).toContain(`The database refused the record of conformance-0 at offset 2 for public.${table}`);
  expect(await fixture.query(`SELECT FROM ${table}`)).toHaveLength(before.length);
  await write(process, chunk(0, 0n, values([1])));
});

test('in a transaction of two partitions the row is found in its own', async () => {
  const { process } = await target('CHECK (v <> 13)');
  const parts = [chunk(0, 0n, values([1, 2, 3])), chunk(1, 100n, values([11, 12, 13]))];
  const transaction = await process.sink.begin(parts);
  for (const part of parts) await appendAll(transaction, part);
  const error = await failureOf(transaction.commitRanges(parts.map((part) => commitOf(process, part, 3))));
  await transaction.abort();
  expect(error).toMatchObject({ code: 'SINK_REFUSED', partition: 1, offset: 102n });
});

test('among rows that fill different columns the row is found in its own COPY', async () => {
  const { process } = await target('d int DEFAULT 5, CHECK (v <> 3)', true);
  const records = chunk(0, 0n, ['a', 'b', 'c', 'd']);
  const transaction = await process.sink.begin([records]);
  const cursor = records.cursor();
  for (let v = 0; cursor.next(); v += 1) transaction.appendRow(cursor, v % 2 === 0 ? { v } : { v, d: 1 });
  const error = await failureOf(transaction.commitRanges([commitOf(process, records, 4)]));
  await transaction.abort();
  expect(error).toMatchObject({ code: 'SINK_REFUSED', offset: 3n });
});

test.each<[string, string, string, string]>([
  ['a deferred unique constraint', 'UNIQUE (v) DEFERRABLE INITIALLY DEFERRED', '_v_key', 'Key (v)=(1) already exists.'],
  [
    'a deferred foreign key',
    'FOREIGN KEY (v) REFERENCES parents DEFERRABLE INITIALLY DEFERRED',
    '_v_fkey',
    'Key (v)=(1) is not present in table "parents".',
  ],
  ['a foreign key', 'FOREIGN KEY (v) REFERENCES parents', '_v_fkey', 'Key (v)=(1) is not present in table "parents".'],
])(
  '%s is checked before the ledger, takes all back, and is named with its values',
  async (_what, more, name, detail) => {
    await fixture.query('CREATE TABLE IF NOT EXISTS parents (id bigint PRIMARY KEY)');
    const { table, process } = await target(more);
    const error = await refusal(process, chunk(0, 0n, values([1, 1])));
    expect(error).toMatchObject({ code: 'SINK_REFUSED', offset: undefined });
    expect(error.message).toContain(`"${table}${name}"`);
    expect(error.message).toContain(detail);
    expect(error.hint).toContain('batch.maxRecordsPerPartition: 1');
    expect(await fixture.query(`SELECT FROM ${table}`)).toStrictEqual([]);
  },
);

test('a trigger that looks at all rows at once is quoted with whatever names it gives', async () => {
  const { table, process } = await target('');
  await fixture.query(`
    CREATE FUNCTION ${table}_sum() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'the books do not balance'
        USING ERRCODE = 'P0001', DETAIL = 'debit 3, credit 4', SCHEMA = 'ledgers', TABLE = 'books', CONSTRAINT = 'balance';
    END $$;
    CREATE TRIGGER t AFTER INSERT ON ${table} EXECUTE FUNCTION ${table}_sum()`);
  const error = await refusal(process, chunk(0, 0n, values([1])));
  expect(error).toMatchObject({ code: 'SINK_REFUSED', offset: undefined, foreignCode: 'P0001' });
  expect(error.message).toContain(
    'the books do not balance (P0001). Constraint balance of table ledgers.books. debit 3, credit 4',
  );
});

test('a constraint trigger that fails only at the commit takes rows and ledger back', async () => {
  const { table, process } = await target('');
  await fixture.query(`
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF current_setting('tidemark.test', true) IS DISTINCT FROM 'seen' THEN
        PERFORM set_config('tidemark.test', 'seen', true);
        SET CONSTRAINTS ALL DEFERRED;
        INSERT INTO ${table} VALUES (9, 9, 9);
        RETURN NULL;
      END IF;
      RAISE EXCEPTION 'too late';
    END $$;
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION at_commit()`);
  const error = await refusal(process, chunk(0, 0n, values([1])));
  expect(error).toMatchObject({ code: 'SINK_REFUSED' });
  expect(error.message).toContain('too late');
  expect(await fixture.query(`SELECT FROM ${table}`)).toStrictEqual([]);
});

test('a lock that is not given up can be retried', async () => {
  const { table, process } = await target('');
  await fixture.query(`BEGIN; LOCK TABLE ${table}`);
  const error = await refusal(process);
  expect(error).toMatchObject({ code: 'SINK_REQUEST_FAILED', retriable: true, foreignCode: '55P03' });
  await fixture.query('ROLLBACK');
  await write(process, chunk(0, 0n, values([1])));
});

test('a deadlock can be retried', async () => {
  const { table, process } = await target('PRIMARY KEY (v)');
  const other = new Client({ connectionString: fixture.database.url });
  await other.connect();
  try {
    const slow = await fixture.start({ table, columns, lockTimeoutMs: 30_000 });
    await other.query(`BEGIN; SET LOCAL deadlock_timeout = '1min'; INSERT INTO ${table} VALUES (0, 0, 2)`);
    const records = chunk(0, 0n, values([1, 2]));
    const failing = failureOf(write(slow, records));
    await waitUntil('the COPY to wait', async () => {
      const waiting = await fixture.query(
        "SELECT FROM pg_stat_activity WHERE query LIKE '%COPY%' AND wait_event_type = 'Lock' AND datname = current_database()",
      );
      return waiting.length > 0;
    });
    await other.query(`INSERT INTO ${table} VALUES (0, 0, 1)`);
    expect(await failing).toMatchObject({ code: 'SINK_REQUEST_FAILED', retriable: true, foreignCode: '40P01' });
    await other.query('ROLLBACK');
    expect(process.claims).toHaveLength(3);
    await write(slow, records);
  } finally {
    await other.end();
  }
});

test('a statement that is cancelled can be retried', async () => {
  const { table, process } = await target('');
  await fixture.query(`ALTER ROLE CURRENT_USER IN DATABASE ${fixture.database.name} SET statement_timeout = 100`);
  try {
    const limited = await fixture.start({ table, columns, lockTimeoutMs: 30_000 });
    await fixture.query(`BEGIN; LOCK TABLE ${table}`);
    expect(await refusal(limited)).toMatchObject({
      code: 'SINK_REQUEST_FAILED',
      retriable: true,
      foreignCode: '57014',
    });
    await fixture.query('ROLLBACK');
    expect(process.claims).toHaveLength(3);
  } finally {
    await fixture.query(`ALTER ROLE CURRENT_USER IN DATABASE ${fixture.database.name} RESET ALL`);
  }
});

test.each([
  'default_transaction_isolation = "serializable"',
  'default_transaction_read_only = on',
  'synchronous_commit = off',
])('a role with %s changes nothing', async (setting) => {
  const { table } = await target('');
  await fixture.query(`ALTER ROLE CURRENT_USER IN DATABASE ${fixture.database.name} SET ${setting}`);
  try {
    // The ledger is made by now: its migrations are the store's business.
    const process = await fixture.start({ table, columns });
    await write(process, chunk(0, 0n, values([1])));
    expect(await fixture.query(`SELECT o, v FROM ${table}`)).toStrictEqual([{ o: '0', v: '1' }]);
  } finally {
    await fixture.query('BEGIN READ WRITE');
    await fixture.query(`ALTER ROLE CURRENT_USER IN DATABASE ${fixture.database.name} RESET ALL`);
    await fixture.query('COMMIT');
  }
});

test.each<[string, string, string]>([
  ['dropped', 'DROP TABLE %', 'SINK_TABLE_MISSING'],
  ['lost a column', 'ALTER TABLE % DROP COLUMN v', 'SINK_COLUMN_MISSING'],
  ['got a column of another type and the same size', 'ALTER TABLE % ALTER v TYPE double precision', 'SINK_COLUMN_TYPE'],
  ['got a column of another size', 'ALTER TABLE % ALTER v TYPE integer', 'SINK_COLUMN_TYPE'],
  ['got a column of a longer type', 'ALTER TABLE % ALTER v TYPE numeric', 'SINK_COLUMN_TYPE'],
])('a table that was %s under the pipeline is noticed, and nothing is written', async (_what, change, code) => {
  const { table, process } = await target('');
  await write(process, chunk(1, 0n, values([1])));
  await fixture.query(change.replace('%', table));
  const error = await failureOf(write(process, chunk(0, 0n, values([7]))));
  expect(error).toMatchObject({ code, retriable: false });
  expect(error.hint).toContain('restart the pipeline');
  expect(await nextOffsets(process.store)).toStrictEqual([0n, 1n, 0n]);
});

test('a table that got more columns goes on', async () => {
  const { table, process } = await target('');
  await write(process, chunk(0, 0n, values([1])));
  await fixture.query(`ALTER TABLE ${table} ADD more text DEFAULT 'x'; ALTER TABLE ${table} ADD CHECK (v > 0)`);
  await write(process, chunk(0, 1n, values([2])));
  expect(await fixture.query(`SELECT o, more FROM ${table} ORDER BY o`)).toStrictEqual([
    { o: '0', more: 'x' },
    { o: '1', more: 'x' },
  ]);
});

test('rows go to the partitions they belong to, and one that has none is named', async () => {
  await fixture.query(`
    CREATE TABLE parted (p int, o bigint, v bigint) PARTITION BY RANGE (v);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10)`);
  const process = await fixture.start({ table: 'parted', columns });
  await write(process, chunk(1, 0n, values([1, 9])));
  expect(await failureOf(write(process, chunk(0, 0n, values([1, 10]))))).toMatchObject({
    code: 'SINK_REFUSED',
    offset: 1n,
  });
  expect(await fixture.query('SELECT v FROM parted_1')).toStrictEqual([{ v: '1' }, { v: '9' }]);
});

test('the place of a COPY error is found in other languages too', () => {
  expect(copyPlace('COPY orders, line 17, column amount: "x"')).toStrictEqual({ line: 17, column: 'amount' });
  expect(copyPlace('COPY orders, line 17, column amount')).toStrictEqual({ line: 17, column: 'amount' });
  expect(copyPlace('COPY orders2, line 17')).toStrictEqual({ line: 17 });
  expect(copyPlace('COPY orders, line 17: "a	b"')).toStrictEqual({ line: 17 });
  expect(copyPlace('COPY orders, Zeile 17, Spalte amount: »x«')).toStrictEqual({ line: 17, column: 'amount' });
  expect(copyPlace('COPY orders, ligne 17, colonne amount : « x »')).toStrictEqual({ line: 17, column: 'amount' });
  expect(copyPlace('PL/pgSQL function f() line 3 at RAISE\nCOPY orders, line 4')).toStrictEqual({ line: 4 });
  expect(copyPlace('PL/pgSQL function f() line 3 at RAISE')).toStrictEqual({});
  expect(copyPlace(undefined)).toStrictEqual({});
});
