import { afterAll, beforeAll, expect, test } from 'vitest';
import { isTidemarkError } from '../../../../src/errors.ts';
import { newClaimToken, systemClock } from '../../../../src/platform/index.ts';
import { createPostgresSink, type PostgresSinkOptions } from '../../../../src/sinks/postgres/index.ts';
import { type SinkFixture, sinkFixture } from '../../../support/sinkFixture.ts';
import { sinkOptions } from '../../../support/sinkOptions.ts';

let fixture: SinkFixture;

beforeAll(async () => {
  fixture = await sinkFixture('checks');
  await fixture.query(`
    CREATE SCHEMA "Odd Schema";
    CREATE TABLE "Odd Schema"."Odd.Table" ("offset" bigint, value text);
    CREATE TABLE plain (id bigint, note text);
    CREATE TABLE strict (id bigint NOT NULL, note text NOT NULL, made timestamptz NOT NULL DEFAULT now());
    CREATE TABLE typed (p boolean, o integer, t jsonb, h integer, k uuid, ts date, v point);
    CREATE TABLE generated (id bigint GENERATED ALWAYS AS IDENTITY, twice text GENERATED ALWAYS AS ('x') STORED, note text);
    CREATE TABLE parts ("offset" bigint, payload text, "timestamp" timestamptz, other text);
    CREATE UNLOGGED TABLE unlogged (id bigint);
    CREATE VIEW a_view AS SELECT 1::bigint AS id;
    CREATE SEQUENCE a_sequence;
    CREATE TABLE partitioned (id bigint) PARTITION BY RANGE (id);
    CREATE TABLE partitioned_1 PARTITION OF partitioned FOR VALUES FROM (0) TO (10);
    CREATE UNLOGGED TABLE partitioned_2 PARTITION OF partitioned FOR VALUES FROM (10) TO (20);
    CREATE TABLE good_partitions (id bigint) PARTITION BY RANGE (id);
    CREATE TABLE good_partitions_1 PARTITION OF good_partitions FOR VALUES FROM (0) TO (10);
    CREATE TABLE secured (id bigint); ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
    CREATE ROLE weak_${fixture.database.name} LOGIN PASSWORD 'weak';
    GRANT SELECT ON secured, plain TO weak_${fixture.database.name};
    GRANT INSERT ON secured TO weak_${fixture.database.name};
  `);
});
afterAll(async () => {
  const { name } = fixture.database;
  await fixture.query(
    `REASSIGN OWNED BY weak_${name} TO CURRENT_USER; DROP OWNED BY weak_${name}; DROP ROLE weak_${name}`,
  );
  await fixture.close();
});

type Options = Partial<PostgresSinkOptions> & { readonly table: string; readonly hasTransform?: boolean };

/** What opening says: undefined when it succeeds. */
async function opening(options: Options, url = fixture.database.url): Promise<string | undefined> {
  const { hasTransform = false, ...rest } = options;
  const context = { pipeline: 'checks', instanceId: newClaimToken(), clock: systemClock };
  const sink = createPostgresSink(sinkOptions(url, rest), context);
  try {
    await sink.open({ hasTransform });
    return undefined;
  } catch (error) {
    if (!isTidemarkError(error)) throw error;
    return `${error.code} ${error.message} [${error.path}] ${error.hint}`;
  } finally {
    await sink.close();
    await sink.store.close();
  }
}

const id = { id: '$offset' };

test.each<[string, Options, readonly string[]]>([
  ['a missing table', { table: 'plains' }, ['SINK_TABLE_MISSING', 'no table plains', '[sink.table]', 'createTable']],
  ['no name', { table: 'a b' }, ['CONFIG_INVALID', "'a b' is no name of a table", '[sink.table]', 'double quotes']],
  ['a name of another database', { table: 'a.b.c' }, ['CONFIG_INVALID', '[sink.table]']],
  [
    'an unlogged table',
    { table: 'unlogged', columns: id },
    ['SINK_TABLE_UNSUITABLE', 'public.unlogged is unlogged', 'SET LOGGED'],
  ],
  ['a view', { table: 'a_view', columns: id }, ['SINK_TABLE_UNSUITABLE', 'public.a_view is a view']],
  ['a sequence', { table: 'a_sequence', columns: { last_value: '$offset' } }, ['SINK_TABLE_UNSUITABLE', 'a sequence']],
  [
    'a partition that is unlogged',
    { table: 'partitioned', columns: id },
    ['SINK_TABLE_UNSUITABLE', 'public.partitioned_2, a partition of public.partitioned, is unlogged'],
  ],
  [
    'a column that is not there',
    { table: 'plain', columns: { id: '$offset', nota: '$value' } },
    ['SINK_COLUMN_MISSING', 'public.plain has no column nota, did you mean note?', '[sink.columns.nota]', 'id, note'],
  ],
  [
    'required columns that are not mapped',
    { table: 'strict', columns: { note: '$value' } },
    ['SINK_COLUMN_MISSING', 'public.strict.id is NOT NULL without a default', '[sink.columns.id]'],
  ],
  [
    'types that hold no value of their source, all at once',
    { table: 'typed', columns: { p: '$partition', o: '$offset', t: '$topic', h: '$headers', ts: '$timestamp' } },
    [
      'SINK_COLUMN_TYPE',
      'public.typed.p is boolean, but $partition needs integer or bigint',
      'public.typed.o is integer, but $offset needs bigint',
      'public.typed.t is jsonb, but $topic needs text',
      'public.typed.h is integer, but $headers needs jsonb',
      'public.typed.ts is date, but $timestamp needs timestamptz',
    ],
  ],
  [
    'generated columns',
    { table: 'generated', columns: { id: '$offset', twice: '$value' } },
    ['SINK_COLUMN_TYPE', 'public.generated.id is always generated', 'public.generated.twice is always generated'],
  ],
  [
    'an unknown part',
    { table: 'plain', columns: { id: '$ofset' } },
    ['CONFIG_INVALID', "sink.columns.id: '$ofset' is no part of a record, did you mean $offset?", '[sink.columns.id]'],
  ],
  [
    'a path into the key',
    { table: 'plain', columns: { id: '$key.id' } },
    ['CONFIG_INVALID', 'only $value is read as JSON'],
  ],
  ['a path that is none', { table: 'plain', columns: { id: '$value.a..b' } }, ['CONFIG_INVALID', 'is no path']],
  [
    'a field without a transform',
    { table: 'plain', columns: { id: 'id' } },
    ['CONFIG_INVALID', 'there is no transform; write $value.id'],
  ],
  ['no column at all', { table: 'plain', columns: {} }, ['CONFIG_INVALID', 'sink.columns names no column']],
  [
    'no column of a known name',
    { table: 'plain' },
    ['SINK_COLUMN_MISSING', 'no column named key, value', '[sink.columns]'],
  ],
  [
    'a table to create without types',
    { table: 'made', createTable: true, columns: { id: '$value.id', n: '$offset' } },
    [
      'CONFIG_INVALID',
      'sink.columns.id: sink.createTable needs to know the type of $value.id',
      '{from: $value.id, type: …}',
    ],
  ],
  [
    'a table to create for rows of unknown columns',
    { table: 'made', createTable: true, hasTransform: true },
    ['CONFIG_INVALID', 'cannot know the columns'],
  ],
])('refuses %s', async (_what, options, texts) => {
  const said = await opening(options);
  for (const text of texts) expect(said).toContain(text);
});

test.each<[string, Options]>([
  ['a quoted name', { table: '"Odd Schema"."Odd.Table"' }],
  ['a partitioned table', { table: 'good_partitions', columns: id }],
  ['a table whose other columns have defaults', { table: 'strict', columns: { id: '$offset', note: '$topic' } }],
  ['columns named as the parts of a record', { table: 'parts' }],
  ['rows by the names of their fields', { table: 'strict', hasTransform: true }],
  ['types whose values are seen later only', { table: 'typed', columns: { k: '$key', h: '$value.h', v: '$value.v' } }],
])('accepts %s', async (_what, options) => {
  expect(await opening(options)).toBeUndefined();
});

test('refuses what the role may not do', async () => {
  const url = new URL(fixture.database.url);
  url.username = `weak_${fixture.database.name}`;
  url.password = 'weak';
  const secured = await opening({ table: 'secured', columns: id }, url.toString());
  expect(secured).toContain('SINK_TABLE_UNSUITABLE');
  expect(secured).toContain('row-level security');
  const plain = await opening({ table: 'plain', columns: id }, url.toString());
  expect(plain).toContain('SINK_TABLE_UNSUITABLE');
  expect(plain).toContain('the role may not insert into public.plain.id');
  expect(plain).toContain('GRANT INSERT ON public.plain');
});

test('says who does not answer, and never the password', async () => {
  const said = await opening({ table: 'plain' }, 'postgres://someone:very-secret@127.0.0.1:1/nowhere');
  expect(said).toContain('SINK_UNREACHABLE');
  expect(said).not.toContain('very-secret');
});

test('creates the table, however many processes do so at once', async () => {
  const columns = {
    id: { from: '$value.id', type: 'bigint PRIMARY KEY' },
    Total: { from: '$value.total', type: 'numeric(10,2)' },
    partition: '$partition',
    headers: '$headers',
    payload: '$value',
  };
  const made = await Promise.all(
    Array.from({ length: 6 }, () => opening({ table: 'fresh', createTable: true, columns })),
  );
  expect(made).toStrictEqual(Array.from({ length: 6 }, () => undefined));
  const types = await fixture.query(
    "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'fresh'::regclass AND attnum > 0",
  );
  expect(types.map(({ attname, type }) => `${attname} ${type}`)).toStrictEqual([
    'id bigint',
    'Total numeric(10,2)',
    'partition integer',
    'headers jsonb',
    'payload text',
  ]);
});

test('creates a table of all parts of a record when nothing else is said', async () => {
  expect(await opening({ table: '"Odd Schema".everything', createTable: true })).toBeUndefined();
  expect(await opening({ table: '"Odd Schema".everything' })).toBeUndefined();
});
