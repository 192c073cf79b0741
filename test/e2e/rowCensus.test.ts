import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { censusTable, openRowCensus, type RowRun } from '../../src/sinks/postgres/census/index.ts';
import type { ColumnOption, PostgresSinkOptions } from '../../src/sinks/postgres/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('census');
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE public."Orders" ("Topic" text, part text, place numeric, v text)');
}, 180_000);

afterAll(async () => {
  await client.end();
  await database.drop();
});

const sink = (columns: Readonly<Record<string, ColumnOption>>): PostgresSinkOptions => ({
  ...{ type: 'postgres', connectionString: database.url, table: 'public."Orders"', mode: 'insert', columns },
  ...{ createTable: false, ledgerSchema: 'tidemark', connections: 1, lockTimeoutMs: 1000, commitTimeoutMs: 1000 },
});

async function runs(columns: Parameters<typeof sink>[0], topics: readonly string[]): Promise<readonly string[]> {
  const table = censusTable(sink(columns));
  if (table === undefined) throw new Error('no census');
  const census = await openRowCensus(table, topics);
  expect(census.table).toBe('public."Orders"');
  const all: RowRun[] = [];
  try {
    for (let some = await census.next(); some.length > 0; some = await census.next()) all.push(...some);
  } finally {
    await census.close();
  }
  return all.map(
    ({ topic, partition, fromOffset, untilOffset, rowsEach }) =>
      `${topic}-${partition} ${fromOffset}-${untilOffset} x${rowsEach}`,
  );
}

test('rows are counted in runs of offsets, by topic, partition and offset', async () => {
  await client.query(`INSERT INTO public."Orders" ("Topic", part, place)
    SELECT 'a', '10', i FROM generate_series(0, 9) i UNION ALL SELECT 'a', '10', i FROM generate_series(3, 4) i
    UNION ALL SELECT 'a', '9', 9007199254740993 UNION ALL SELECT 'B', '0', i FROM generate_series(5, 20, 5) i
    UNION ALL SELECT 'other', '0', 1 UNION ALL SELECT 'a', '0', NULL`);
  const columns = { Topic: '$topic', part: '$partition', place: { from: '$offset', type: 'numeric' }, v: '$value' };
  expect(await runs(columns, ['a', 'B'])).toEqual([
    ...['B-0 5-6 x1', 'B-0 10-11 x1', 'B-0 15-16 x1', 'B-0 20-21 x1'],
    ...['a-9 9007199254740993-9007199254740994 x1', 'a-10 0-3 x1', 'a-10 3-5 x2', 'a-10 5-10 x1'],
  ]);
  await client.query(`DELETE FROM public."Orders" WHERE "Topic" <> 'B'`);
  expect(await runs({ part: '$partition', place: '$offset' }, ["it's"])).toEqual([
    "it's-0 5-6 x1",
    "it's-0 10-11 x1",
    "it's-0 15-16 x1",
    "it's-0 20-21 x1",
  ]);
  await client.query(`TRUNCATE public."Orders"`);
  expect(await runs(columns, ['a'])).toEqual([]);
});

test('a table is counted only where columns say which record a row is of', async () => {
  expect(censusTable(sink({ v: '$value', place: '$offset' }))).toBeUndefined();
  expect(censusTable(sink({ part: '$partition', place: '$value.offset' }))).toBeUndefined();
  expect(censusTable(sink({ part: 'partition', place: 'offset' }))).toBeUndefined();
  const table = { ...sink({}), partitionColumn: 'part', offsetColumn: 'place', topicColumn: undefined };
  await expect(openRowCensus({ ...table, table: 'public.nope' }, ['a'])).rejects.toMatchObject({
    code: 'SINK_TABLE_MISSING',
  });
  await expect(openRowCensus({ ...table, offsetColumn: 'nope' }, ['a'])).rejects.toMatchObject({
    code: 'SINK_REQUEST_FAILED',
  });
});
