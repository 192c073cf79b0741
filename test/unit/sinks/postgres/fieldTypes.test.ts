import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgresService, type TestDatabase } from '../../../services/index.ts';
import { type CopyHarness, copyHarness } from '../../../support/copyHarness.ts';
import { recordChunk } from '../../../support/recordChunks.ts';

let database: TestDatabase;
let harness: CopyHarness;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('types');
  harness = await copyHarness(database.url);
});
afterAll(async () => {
  await harness.close();
  await database.drop();
});

/** A JSON value, or a value of a row, and the text PostgreSQL shows for what was stored; `refused` with part of the reason. */
type Case = readonly [type: string, value: unknown, shown: string | null | { readonly refused: string }];
const refused = (reason: string) => ({ refused: reason });

/** JSON text, for what JavaScript cannot hold. */
class Json {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
const json = (text: string) => new Json(text);

const casesOfJson: readonly Case[] = [
  ['text', 'plain', 'plain'],
  ['text', 'esc\\aped "quotes" \n and \u00e9\ud83d\ude00', 'esc\\aped "quotes" \n and \u00e9\ud83d\ude00'],
  ['text', json('"\\u00e9\\ud83d\\ude00"'), '\u00e9\ud83d\ude00'],
  ['text', '', ''],
  ['text', json('12345678901234567890.50'), '12345678901234567890.50'],
  ['text', true, 'true'],
  ['text', json('{"a": [1,  2]}'), '{"a": [1,  2]}'],
  ['text', null, null],
  ['text', json('"\\u0000"'), refused('has a NUL')],
  ['text', json('"\\ud800"'), refused('surrogate')],
  ['text', 'x'.repeat(2_000), 'x'.repeat(2_000)],
  ['text', '\u00e9'.repeat(2_000), '\u00e9'.repeat(2_000)],
  ['varchar(3)', 'abc', 'abc'],
  ['varchar(3)', 'äöü', 'äöü'],
  ['varchar(3)', 'abcd', refused('4 characters')],
  ['varchar(3)', 'äöüß', refused('4 characters')],
  ['varchar(3)', 'ab  ', refused('4 characters')],
  ['char(3)', 'ab', 'ab'],
  ['smallint', 32_767, '32767'],
  ['smallint', -32_768, '-32768'],
  ['smallint', 32_768, refused('out of the range of smallint: 32768')],
  ['integer', 2_147_483_647, '2147483647'],
  ['integer', -2_147_483_648, '-2147483648'],
  ['integer', 2_147_483_648, refused('out of the range of integer')],
  ['integer', '42', '42'],
  ['integer', json('1.0'), '1'],
  ['integer', json('1e3'), '1000'],
  ['integer', json('-0'), '0'],
  ['integer', 1.5, refused('is not a whole number: 1.5')],
  ['integer', '4x', refused('is not a whole number')],
  ['integer', '', refused('is not a whole number')],
  ['integer', '042', refused('is not a whole number')],
  ['integer', ' 42', refused('is not a whole number')],
  ['integer', true, refused('is not a whole number: true')],
  ['integer', {}, refused('is not a whole number: an object')],
  ['bigint', json('9007199254740993'), '9007199254740993'],
  ['bigint', json('9223372036854775807'), '9223372036854775807'],
  ['bigint', json('-9223372036854775808'), '-9223372036854775808'],
  ['bigint', json('9223372036854775808'), refused('out of the range of bigint')],
  ['bigint', json('1e400000'), refused('out of the range of bigint')],
  ['bigint', '1234567890123456789', '1234567890123456789'],
  ['real', 1.5, '1.5'],
  ['real', 1e39, refused('out of the range of real')],
  ['real', 1e-46, refused('out of the range of real')],
  ['double precision', 0.1, '0.1'],
  ['double precision', json('123456789012345678'), '1.2345678901234568e+17'],
  ['double precision', json('1e400'), refused('out of the range')],
  ['double precision', json('1e-400'), refused('out of the range')],
  ['double precision', json('0e-400'), '0'],
  ['double precision', json('-0.0'), '-0'],
  ['double precision', '2.50', '2.5'],
  ['double precision', '.5', refused('is not a number')],
  ['double precision', '5.', refused('is not a number')],
  ['double precision', 'NaN', refused('is not a number')],
  ['numeric', json('1.50'), '1.50'],
  ['numeric', json('-0.00'), '0.00'],
  ['numeric', json('123456789012345678901234567890.123456789'), '123456789012345678901234567890.123456789'],
  ['numeric', json('1e-7'), '0.0000001'],
  ['numeric', json('12e5'), '1200000'],
  ['numeric', json('1e-20000'), refused('out of the range of numeric')],
  ['numeric', json('1e200000'), refused('out of the range of numeric')],
  ['numeric', '0.10', '0.10'],
  ['numeric', 'x', refused('is not a number')],
  ['numeric(6,2)', 1234.567, '1234.57'],
  ['numeric(6,2)', 12345, refused('out of the range of numeric(6,2)')],
  ['numeric(6,2)', json('12345.5'), refused('out of the range of numeric(6,2)')],
  ['numeric(2,2)', json('0.25'), '0.25'],
  ['boolean', true, 'true'],
  ['boolean', false, 'false'],
  ['boolean', 'true', 'true'],
  ['boolean', 't', refused('is not true or false')],
  ['boolean', 1, refused('is not true or false: 1')],
  ['timestamptz', '2024-05-01T12:34:56.789Z', '2024-05-01 12:34:56.789+00'],
  ['timestamptz', '2024-05-01 12:34+02:00', '2024-05-01 10:34:00+00'],
  ['timestamptz', '2024-05-01T00:00:00-0530', '2024-05-01 05:30:00+00'],
  ['timestamptz', '2024-02-29T23:59:60Z', '2024-03-01 00:00:00+00'],
  ['timestamptz', 1_714_566_896_789, '2024-05-01 12:34:56.789+00'],
  ['timestamptz', -1, '1969-12-31 23:59:59.999+00'],
  ['timestamptz', '2024-05-01T12:34:56', refused('has no offset from UTC')],
  ['timestamptz', '2024-02-30T00:00:00Z', refused('is not a time')],
  ['timestamptz', '2024-05-01T25:00:00Z', refused('is not a time')],
  ['timestamptz', '2024-05-01T12:00:00Zx', refused('is not a time')],
  ['timestamptz', 'yesterday', refused('is not a time')],
  ['timestamptz', json('1e300'), refused('out of the range of timestamp with time zone')],
  ['timestamp', '2024-05-01T12:34:56.123456', '2024-05-01 12:34:56.123456'],
  ['timestamp', '2024-05-01T12:34:56Z', '2024-05-01 12:34:56'],
  ['timestamp', '2024-05-01T12:34:56+01:00', refused('cannot store')],
  ['timestamp', '+012345-01-01T00:00:00', '12345-01-01 00:00:00'],
  ['timestamp', '-000001-01-01T00:00:00', '0002-01-01 00:00:00 BC'],
  ['date', '2024-02-29', '2024-02-29'],
  ['date', '0000-01-01', '0001-01-01 BC'],
  ['date', '2023-02-29', refused('is not a date')],
  ['date', '2024-02-29T00:00:00Z', refused('has a time of day')],
  ['date', 19_000, refused('is not a date')],
  ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['uuid', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1', refused('is not a UUID')],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g', refused('is not a UUID')],
  ['uuid', 7, refused('is not a UUID: 7')],
  ['bytea', 'AAEC/w==', '\\x000102ff'],
  ['bytea', 'AAEC/w', refused('is not base64')],
  ['bytea', 5, refused('is not base64: 5')],
  ['jsonb', json('{"b": 12345678901234567890, "a":[1, "x"]}'), '{"a": [1, "x"], "b": 12345678901234567890}'],
  ['jsonb', 'text', '"text"'],
  ['jsonb', json('"esc\\n"'), '"esc\\n"'],
  ['jsonb', json('"\\u0000"'), refused('jsonb cannot store')],
  ['jsonb', json('["\\udead"]'), refused('jsonb cannot store')],
  ['jsonb', null, null],
  ['json', json('{"b": 1,  "a":"\\u0000"}'), '{"b": 1,  "a":"\\u0000"}'],
  ['text[]', ['a', null, 'b"\\,{}', ''], '{a,NULL,"b\\"\\\\,{}",""}'],
  ['text[]', [], '{}'],
  ['text[]', [1], refused('is not an array of strings: it holds 1')],
  ['text[]', 'a', refused('is not an array of strings')],
  ['varchar[]', ['a'], '{a}'],
  ['mood', 'happy', 'happy'],
  ['short_text', 'ab', 'ab'],
  ['short_text', 'abc', refused('3 characters')],
];

/** Types whose binary form the sink does not write: the whole table is copied as text. */
const casesOfText: readonly Case[] = [
  ['inet', '10.0.0.0/8', '10.0.0.0/8'],
  ['interval', 'P1DT2H', '1 day 02:00:00'],
  ['integer[]', [1, 2, null], '{1,2,NULL}'],
  ['integer[]', json('[[1],[2]]'), '{{1},{2}}'],
  ['time', '12:34', '12:34:00'],
  ['point', '(1,2)', '(1,2)'],
  ['varchar(3)[]', ['a\tb', '\\'], '{"a\tb","\\\\"}'],
];

const casesOfRows: readonly Case[] = [
  ['text', 'text', 'text'],
  ['text', 'é'.repeat(100), 'é'.repeat(100)],
  ['text', 'é'.repeat(5000), 'é'.repeat(5000)],
  ['text', 5.5, '5.5'],
  ['text', 5n, '5'],
  ['text', Buffer.from('bytes'), 'bytes'],
  ['text', Buffer.from([0xff]), refused('is not UTF-8')],
  ['text', 'a\0', refused('has a NUL at character 1')],
  ['text', `${'x'.repeat(60)}\ud800`, refused('half of a surrogate pair')],
  ['text', new Date(0), refused('is not text: 1970-01-01')],
  ['text', {}, refused('is not text: an object')],
  ['text', undefined, null],
  ['varchar(2)', 'äbc', refused('3 characters')],
  ['smallint', 5, '5'],
  ['integer', 5n, '5'],
  ['integer', 1.5, refused('is not a whole number: 1.5')],
  ['integer', Number.NaN, refused('is not a whole number: NaN')],
  ['integer', 2_147_483_648n, refused('out of the range')],
  ['bigint', 2n ** 63n - 1n, '9223372036854775807'],
  ['bigint', 2n ** 63n, refused('out of the range')],
  ['bigint', 2 ** 53, refused('give a bigint')],
  ['bigint', '-5', '-5'],
  ['real', 0.1, '0.1'],
  ['double precision', Number.NaN, 'NaN'],
  ['double precision', Number.NEGATIVE_INFINITY, '-Infinity'],
  ['double precision', 7n, '7'],
  ['double precision', '1e3', '1000'],
  ['numeric', 1e21, '1000000000000000000000'],
  ['numeric', 12_345_678_901_234_567_890n, '12345678901234567890'],
  ['numeric', '12.30', '12.30'],
  ['numeric', Number.NaN, refused('is not a number: NaN')],
  ['numeric', true, refused('is not a number: true')],
  ['boolean', true, 'true'],
  ['boolean', 0, refused('is not true or false: 0')],
  ['timestamptz', new Date(1_714_566_896_789), '2024-05-01 12:34:56.789+00'],
  ['timestamptz', 1_714_566_896_789.25, '2024-05-01 12:34:56.78925+00'],
  ['timestamptz', new Date(Number.NaN), refused('is not a time: NaN')],
  ['timestamptz', '2024-05-01T12:34:56Z', '2024-05-01 12:34:56+00'],
  ['timestamp', new Date(0), '1970-01-01 00:00:00'],
  ['date', new Date(Date.UTC(2024, 1, 29, 23)), '2024-02-29'],
  ['date', '2024-02-29', '2024-02-29'],
  ['uuid', Buffer.alloc(16, 1), '01010101-0101-0101-0101-010101010101'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['bytea', Buffer.from([0, 255]), '\\x00ff'],
  ['bytea', new Uint8Array([1]), '\\x01'],
  ['bytea', 'AQ==', '\\x01'],
  ['jsonb', { b: [1, null], a: 'ü' }, '{"a": "ü", "b": [1, null]}'],
  ['jsonb', '{"a":1}', '"{\\"a\\":1}"'],
  ['jsonb', Buffer.from('{"a": 1}'), '{"a": 1}'],
  ['jsonb', Buffer.from('{'), refused('is not JSON')],
  ['jsonb', { a: '\0' }, refused('jsonb cannot store')],
  ['jsonb', { a: '\\u0000' }, '{"a": "\\\\u0000"}'],
  ['jsonb', { a: 1n }, refused('is not a JSON value')],
  ['jsonb', () => 1, refused('is not a JSON value: a function')],
  ['jsonb', 5, '5'],
  ['text[]', ['a', null], '{a,NULL}'],
  ['inet', '::/64', '::/64'],
  ['integer[]', [1, 2], '{1,2}'],
  ['integer[]', '{3}', '{3}'],
];

let tables = 0;

/** One table, one row for each case of a type; the columns beside it find its row again. */
async function check(cases: readonly Case[], by: 'path' | 'row', format: 'binary' | 'text'): Promise<void> {
  const table = `t${tables++}`;
  const [type] = cases[0] as Case;
  await harness.client.query(`CREATE TABLE ${table} (n bigint, v ${type}, other inet[])`);
  const records = cases.map(([, value]) => ({
    value: by === 'row' ? null : `{"x": ${value instanceof Json ? value.text : JSON.stringify(value)}}`,
  }));
  const chunk = recordChunk(records);
  // One column of a type that cannot be copied in binary makes the whole COPY text.
  const other = format === 'text' ? { other: '$value.none' } : {};
  const outcomes =
    by === 'path'
      ? await harness.copyRecords(table, { n: '$offset', v: '$value.x', ...other }, chunk)
      : await harness.copyRows(
          table,
          { n: '$offset', v: 'f', ...other },
          chunk,
          cases.map(([, value]) => ({ f: value })),
        );
  const stored = await harness.client.query(`SELECT n, v::text AS v FROM ${table} ORDER BY n`);
  const byNumber = new Map(stored.rows.map((row: { n: string; v: string | null }) => [Number(row.n), row.v]));
  for (const [index, [, value, shown]] of cases.entries()) {
    const name = `${type} from ${value instanceof Json ? value.text : String(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))).slice(0, 80)}`;
    const outcome = outcomes[index];
    if (typeof shown === 'string' || shown === null) {
      expect(outcome?.message, name).toBeUndefined();
      expect(byNumber.get(index), name).toBe(shown);
    } else {
      expect(outcome?.message, name).toContain(shown.refused);
      expect(outcome, name).toMatchObject({ topic: 'orders', partition: 0, offset: BigInt(index) });
      expect(outcome?.code, name).toBe(shown.refused === 'is not JSON' ? 'RECORD_UNPARSABLE' : 'RECORD_UNSTORABLE');
      expect(outcome?.message, name).toContain(`public.${table}.v`);
      expect(byNumber.has(index), name).toBe(false);
    }
  }
}

function byType(cases: readonly Case[]): [string, readonly Case[]][] {
  return [...new Set(cases.map(([type]) => type))].map((type) => [type, cases.filter((one) => one[0] === type)]);
}

beforeAll(async () => {
  await harness.client.query(`
    CREATE TYPE mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN short_text AS varchar(2);
    SET TIME ZONE 'UTC'`);
});

test.each(byType(casesOfJson))('%s takes JSON values by binary COPY, exactly or not at all', async (_type, cases) => {
  await check(cases, 'path', 'binary');
});

test.each(byType(casesOfJson))('%s takes the same JSON values by text COPY', async (_type, cases) => {
  await check(cases, 'path', 'text');
});

test.each(byType(casesOfText))('%s takes JSON values through its text form', async (_type, cases) => {
  await check(cases, 'path', 'text');
});

test.each(byType(casesOfRows))('%s takes values of rows by binary COPY', async (_type, cases) => {
  await check(cases, 'row', 'binary');
});

test.each(byType(casesOfRows))('%s takes values of rows by text COPY', async (_type, cases) => {
  await check(cases, 'row', 'text');
});
