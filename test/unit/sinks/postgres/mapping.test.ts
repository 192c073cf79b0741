import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Row } from '../../../../src/sinks/index.ts';
import { postgresService, type TestDatabase } from '../../../services/index.ts';
import { type CopyHarness, copyHarness, type Outcome } from '../../../support/copyHarness.ts';
import { recordChunk } from '../../../support/recordChunks.ts';

let database: TestDatabase;
let harness: CopyHarness;
let tables = 0;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('mapping');
  harness = await copyHarness(database.url);
  await harness.client.query("SET TIME ZONE 'UTC'");
});
afterAll(async () => {
  await harness.close();
  await database.drop();
});

async function table(definition: string): Promise<string> {
  tables += 1;
  await harness.client.query(`CREATE TABLE m${tables} (${definition})`);
  return `m${tables}`;
}

async function all(name: string, columns = '*'): Promise<unknown[]> {
  return (await harness.client.query({ text: `SELECT ${columns} FROM ${name}`, rowMode: 'array' })).rows;
}

const said = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => outcome && `${outcome.code} ${outcome.message}`);

test('the parts of a record go to columns as they are', async () => {
  const name = await table('p int, o bigint, t text, ts timestamptz, ms bigint, k text, v bytea, h jsonb');
  const chunk = recordChunk(
    [
      { key: 'k1', value: Buffer.from([0, 255]), timestamp: 1_714_566_896_789 },
      { key: null, value: null, timestamp: -1 },
      {
        key: '',
        value: '',
        headers: [
          ['a', Buffer.from('ü')],
          ['a', null],
          ['b', Buffer.from([0xff, 0])],
        ],
      },
    ],
    { topic: 'orders.v1', partition: 7, fromOffset: 9_007_199_254_740_990n },
  );
  const columns = {
    p: '$partition',
    o: '$offset',
    t: '$topic',
    ts: '$timestamp',
    ms: '$timestamp',
    k: '$key',
    v: '$value',
    h: '$headers',
  };
  expect(await harness.copyRecords(name, columns, chunk)).toStrictEqual([undefined, undefined, undefined]);
  expect(await all(name, 'p, o::text, t, ts::text, ms, k, v::text, h')).toStrictEqual([
    [7, '9007199254740990', 'orders.v1', '2024-05-01 12:34:56.789+00', '1714566896789', 'k1', '\\x00ff', []],
    [7, '9007199254740991', 'orders.v1', null, null, null, null, []],
    [
      7,
      '9007199254740992',
      'orders.v1',
      '2023-11-14 22:13:20+00',
      '1700000000000',
      '',
      '\\x',
      [
        { name: 'a', value: 'ü' },
        { name: 'a', value: null },
        { name: 'b', base64: '/wA=' },
      ],
    ],
  ]);
});

test('keys and values that are text of a number, a time or a UUID go to columns of these types', async () => {
  const name = await table('k uuid, v integer');
  const key = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
  const outcomes = await harness.copyRecords(
    name,
    { k: '$key', v: '$value' },
    recordChunk([
      { key, value: '42' },
      { key: 'x', value: '42' },
      { key, value: '4 2' },
    ]),
  );
  expect(said(outcomes)).toStrictEqual([
    undefined,
    expect.stringContaining('RECORD_UNSTORABLE The record of orders-0 at offset 1 does not fit public.m'),
    expect.stringContaining('.v: the value is not a whole number: "4 2"'),
  ]);
  expect(await all(name)).toStrictEqual([[key, 42]]);
});

test('places in a value are found, and missing ones and tombstones are null', async () => {
  const name = await table('n bigint, a text, b int, c text, d jsonb');
  const columns = { n: '$offset', a: '$value.a.b', b: '$value.list[1]', c: '$value["odd key"]', d: "$value.a['x']" };
  const chunk = recordChunk([
    { value: '{"a": {"b": "deep", "x": [1, {"y": null}]}, "list": [1, 2], "odd key": "\\u00fc"}' },
    { value: '{"a": "no object", "list": {"1": 2}}' },
    { value: '[]' },
    { value: null },
    { value: '{"a": {"b": null}, "list": [null, null]}' },
  ]);
  expect(said(await harness.copyRecords(name, columns, chunk))).toStrictEqual(Array(5).fill(undefined));
  expect(await all(name)).toStrictEqual([
    ['0', 'deep', 2, 'ü', [1, { y: null }]],
    ...[1, 2, 3, 4].map((n) => [String(n), null, null, null, null]),
  ]);
});

test('a value that is not JSON is refused by name, with the place, and the others go on', async () => {
  const name = await table('n bigint, a text');
  const chunk = recordChunk([
    { value: '{"a": "1"}' },
    { value: '{"a": }' },
    { value: Buffer.from([0xff]) },
    { value: '{}' },
  ]);
  const outcomes = await harness.copyRecords(name, { n: '$offset', a: '$value.a' }, chunk);
  expect(said(outcomes)).toStrictEqual([
    undefined,
    "RECORD_UNPARSABLE The value of orders-0 at offset 1 is not JSON: unexpected '}' at byte 6",
    'RECORD_UNPARSABLE The value of orders-0 at offset 2 is not JSON: unexpected byte 0xff at byte 0',
    undefined,
  ]);
  expect(await all(name)).toStrictEqual([
    ['0', '1'],
    ['3', null],
  ]);
});

test('a whole value goes to jsonb and json as it is, its null included; only a tombstone is null', async () => {
  const name = await table('n bigint, b jsonb, j json, first text');
  const columns = { n: '$offset', b: '$value', j: '$value', first: '$value[0]' };
  const values = ['[1,  2]', ' "text" ', 'null', '12345678901234567890', null, '{"a": "\\u0000"}'];
  const outcomes = await harness.copyRecords(name, columns, recordChunk(values.map((value) => ({ value }))));
  expect(said(outcomes).slice(0, 5)).toStrictEqual(Array(5).fill(undefined));
  expect(outcomes[5]?.message).toContain('.b: the value has an escape for NUL');
  expect(await all(name, 'n, b::text, j::text, first')).toStrictEqual([
    ['0', '[1, 2]', '[1,  2]', '1'],
    ['1', '"text"', '"text"', null],
    ['2', 'null', 'null', null],
    ['3', '12345678901234567890', '12345678901234567890', null],
    ['4', null, null, null],
  ]);
});

test('an escape that jsonb cannot store hurts only the column that takes it', async () => {
  const name = await table('good jsonb, other text');
  const columns = { good: '$value.good', other: '$value.other' };
  const chunk = recordChunk([{ value: '{"good": {"x": "\\u00e9"}, "bad": "\\u0000", "other": "o"}' }]);
  expect(said(await harness.copyRecords(name, columns, chunk))).toStrictEqual([undefined]);
  expect(await all(name)).toStrictEqual([[{ x: 'é' }, 'o']]);
});

test('null is refused where the column is NOT NULL, unless a trigger may fill it', async () => {
  const name = await table('n bigint, v text NOT NULL');
  const columns = { n: '$offset', v: '$value.v' };
  const chunk = recordChunk([{ value: '{}' }, { value: '{"v": "x"}' }]);
  const outcomes = await harness.copyRecords(name, columns, chunk);
  expect(said(outcomes)).toStrictEqual([
    `RECORD_UNSTORABLE The record of orders-0 at offset 0 does not fit public.${name}.v: the value is null, and the column is NOT NULL`,
    undefined,
  ]);
  await harness.client.query(`
    CREATE FUNCTION fill_v() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := coalesce(NEW.v, 'filled'); RETURN NEW; END $$;
    CREATE TRIGGER fill BEFORE INSERT ON ${name} FOR EACH ROW EXECUTE FUNCTION fill_v()`);
  expect(await harness.copyRecords(name, columns, chunk)).toStrictEqual([undefined, undefined]);
  expect(await all(name)).toStrictEqual([
    ['1', 'x'],
    ['0', 'filled'],
    ['1', 'x'],
  ]);
});

const four = recordChunk([{}, {}, {}, {}]);

test('fields of rows go to the columns of their names; a default stays where the row has no such field', async () => {
  const name = await table("id bigint, note text, state text DEFAULT 'new', made int DEFAULT 7");
  const rows: Row[] = [
    { id: 1, note: 'a' },
    { id: 2, state: 'old' },
    { made: null, state: undefined, id: 3n },
    { note: 'd', made: 8, state: 'old' },
  ];
  expect(said(await harness.copyRows(name, undefined, four, rows))).toStrictEqual(Array(4).fill(undefined));
  expect(await all(name)).toStrictEqual([
    ['1', 'a', 'new', 7],
    ['2', null, 'old', 7],
    ['3', null, 'new', null],
    [null, 'd', 'old', 8],
  ]);
});

test('a row that is none is refused by name', async () => {
  const name = await table('id bigint, note text');
  const rows = [{ id: 1, nota: 'x' }, [1], 'text', { constructor: 1 }] as unknown as Row[];
  expect(said(await harness.copyRows(name, undefined, four, rows))).toStrictEqual([
    `TRANSFORM_RESULT_INVALID The transform's result for orders-0 at offset 0 has the field 'nota', which is no column of public.${name} (did you mean 'note'?)`,
    "TRANSFORM_RESULT_INVALID The transform's result for orders-0 at offset 1 is an array where a row is expected",
    "TRANSFORM_RESULT_INVALID The transform's result for orders-0 at offset 2 is a string where a row is expected",
    expect.stringContaining("has the field 'constructor', which is no column"),
  ]);
  const defaults = await table('id bigint GENERATED ALWAYS AS IDENTITY, note text DEFAULT 1');
  expect(
    said(await harness.copyRows(defaults, undefined, four, [{}, { id: 1 }, { note: 'x' }, { note: null }])),
  ).toStrictEqual([
    expect.stringContaining(`has no field of public.${defaults}`),
    expect.stringContaining("has the field 'id', a column of"),
    undefined,
    undefined,
  ]);
});

test('columns rename the fields of rows and take parts of the record beside them', async () => {
  const name = await table('id bigint, place text, at bigint');
  const columns = { id: 'identifier', place: '$topic', at: '$offset' };
  const rows: Row[] = [{ identifier: 5, unused: true }, { identifier: null }, {}, { toString: 1 }];
  expect(said(await harness.copyRows(name, columns, four, rows))).toStrictEqual(Array(4).fill(undefined));
  expect(await all(name)).toStrictEqual([
    ['5', 'orders', '0'],
    [null, 'orders', '1'],
    [null, 'orders', '2'],
    [null, 'orders', '3'],
  ]);
});

test('columns named as the parts of a record need no mapping', async () => {
  const name = await table('"offset" bigint, payload jsonb, topic text, note text');
  await harness.copyRecords(name, undefined, recordChunk([{ value: '{"a":1}' }]));
  expect(await all(name)).toStrictEqual([['0', { a: 1 }, 'orders', null]]);
});
