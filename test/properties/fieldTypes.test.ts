import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { type CopyHarness, copyHarness } from '../support/copyHarness.ts';
import { recordChunk } from '../support/recordChunks.ts';

let database: TestDatabase;
let harness: CopyHarness;
let tables = 0;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('fuzz');
  harness = await copyHarness(database.url);
  await harness.client.query("SET TIME ZONE 'UTC'");
});
afterAll(async () => {
  await harness.close();
  await database.drop();
});

const digits = (max: number) =>
  fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: max }).map((list) => list.join(''));
const whole = (max: number) => digits(max).map((text) => text.replace(/^0+(?=\d)/, ''));
const sign = fc.constantFrom('', '-');

/** Numbers as JSON writes them. */
const decimal = fc
  .tuple(
    sign,
    fc.oneof(whole(4), whole(30)),
    fc.option(fc.oneof(digits(3), digits(40)), { nil: undefined }),
    fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined }),
  )
  .map(([minus, integer, fraction, exponent]) => {
    const point = fraction === undefined ? '' : `.${fraction}`;
    return `${minus}${integer}${point}${exponent === undefined ? '' : `e${exponent}`}`;
  });

const integer = fc.tuple(sign, whole(20)).map(([minus, text]) => minus + text);

const two = (text: number) => String(text).padStart(2, '0');
const isoDate = fc
  .tuple(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 31 }))
  .map(([year, month, day]) => `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`);
const isoTime = fc
  .tuple(
    isoDate,
    fc.constantFrom('T', ' '),
    fc.nat({ max: 24 }),
    fc.nat({ max: 60 }),
    fc.nat({ max: 61 }),
    fc.option(digits(9), { nil: undefined }),
    fc.oneof(
      fc.constant('Z'),
      fc
        .tuple(fc.constantFrom('+', '-'), fc.nat({ max: 15 }), fc.nat({ max: 59 }), fc.constantFrom(':', ''))
        .map(([direction, hours, minutes, colon]) => `${direction}${two(hours)}${colon}${two(minutes)}`),
    ),
  )
  .map(([date, separator, hour, minute, second, fraction, offset]) => {
    const seconds = `${two(second)}${fraction === undefined ? '' : `.${fraction}`}`;
    return `${date}${separator}${two(hour)}:${two(minute)}:${seconds}${offset}`;
  });

/**
 * Each text is stored by the sink, and read by the server as a literal of the type. Where both take it they agree; where the
 * server refuses it, so do we; what only we refuse has to be in `stricter`.
 */
async function agreesWithServer(
  type: string,
  texts: readonly string[],
  json: (text: string) => string,
  stricter: (text: string) => boolean = () => false,
): Promise<void> {
  const table = `fuzz_${tables++}`;
  await harness.client.query(`CREATE TABLE ${table} (n bigint, v ${type})`);
  const chunk = recordChunk(texts.map((text) => ({ value: `{"x":${json(text)}}` })));
  const outcomes = await harness.copyRecords(table, { n: '$offset', v: '$value.x' }, chunk);
  const stored = await harness.client.query<{ n: string; v: string }>(`SELECT n, v::text FROM ${table}`);
  const byNumber = new Map(stored.rows.map(({ n, v }) => [Number(n), v]));
  const reference = await harness.client.query<{ v: string | null }>(
    'SELECT pg_temp.read_as($2, t) AS v FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n',
    [texts, type],
  );
  let taken = 0;
  for (const [index, text] of texts.entries()) {
    const expected = reference.rows[index]?.v ?? null;
    if (expected === null) {
      expect(byNumber.get(index), `${type} ${text}`).toBeUndefined();
    } else if (outcomes[index] === undefined) {
      taken += 1;
      expect(byNumber.get(index), `${type} ${text}`).toBe(expected);
    } else {
      expect(stricter(text), `${type} ${text}: ${outcomes[index]?.message}`).toBe(true);
    }
  }
  expect(taken).toBeGreaterThan(texts.length / 20);
}

beforeAll(async () => {
  await harness.client.query(`
    CREATE FUNCTION pg_temp.read_as(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
      EXECUTE format('SELECT (%L::%s)::text', value, type) INTO result;
      RETURN result;
    EXCEPTION WHEN data_exception THEN RETURN NULL;
    END $$`);
});

const plain = (text: string) => text;
const quoted = (text: string) => JSON.stringify(text);
/** Many values go in one COPY: a round trip for each would be most of the time. */
const sample = <T>(arbitrary: fc.Arbitrary<T>, count = 2000): T[] => fc.sample(arbitrary, count);

test.each(['numeric', 'numeric(12,3)', 'numeric(5,5)', 'double precision', 'real'])(
  'numbers become %s as the server itself would read them',
  async (type) => {
    await agreesWithServer(type, sample(decimal), plain);
    await agreesWithServer(type, sample(decimal, 500), quoted);
  },
);

test.each(['bigint', 'integer', 'smallint'])(
  'whole numbers become %s as the server itself would read them',
  async (type) => {
    await agreesWithServer(
      type,
      sample(
        fc.oneof(
          integer,
          fc.tuple(sign, whole(6)).map((parts) => parts.join('')),
        ),
      ),
      plain,
    );
  },
);

test('times become timestamptz as the server itself would read them', async () => {
  await agreesWithServer('timestamptz', sample(isoTime), quoted, (text) => / 24:|T24:/.test(text));
});

test('dates become date as the server itself would read them', async () => {
  await agreesWithServer('date', sample(isoDate, 2000), quoted);
});

test('any text arrives as it is, by binary and by text COPY, or is refused', async () => {
  const texts = sample(
    fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'\\\t\n\r\bN.,"{}x\0é😀') })),
    1000,
  );
  await harness.client.query('CREATE TABLE texts (n bigint, v text, j jsonb, other inet)');
  for (const more of [{}, { other: '$value.none' }]) {
    await harness.client.query('TRUNCATE texts');
    const chunk = recordChunk(texts.map((text) => ({ value: JSON.stringify({ x: text }) })));
    const columns = { n: '$offset', v: '$value.x', j: '$value', ...more };
    const outcomes = await harness.copyRecords('texts', columns, chunk);
    const stored = await harness.client.query<{ n: string; v: string; j: { x: string } }>('SELECT * FROM texts');
    const byNumber = new Map(stored.rows.map((row) => [Number(row.n), row]));
    for (const [index, text] of texts.entries()) {
      const isStorable = text.isWellFormed() && !text.includes('\0');
      expect(outcomes[index] === undefined, JSON.stringify(text)).toBe(isStorable);
      expect(byNumber.get(index)?.v).toBe(isStorable ? text : undefined);
      expect(byNumber.get(index)?.j.x).toBe(isStorable ? text : undefined);
    }
  }
});

test('bytes arrive in text when they are UTF-8 without NUL, and in bytea always', async () => {
  const values = sample(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 700, minLength: 500 }).map((bytes) => bytes.map((byte) => (byte % 127) + 1)),
      fc.string({ unit: 'grapheme', maxLength: 300 }).map((text) => Buffer.from(text)),
      fc.tuple(fc.nat({ max: 600 }), fc.nat(), fc.nat({ max: 255 })).map(([length, at, byte]) => {
        const bytes = Buffer.alloc(length, 'a');
        if (length > 0) bytes[at % length] = byte;
        return bytes;
      }),
    ),
    2000,
  ).map((bytes) => Buffer.from(bytes));
  await harness.client.query('CREATE TABLE bytes (n bigint, v bytea); CREATE TABLE utf8 (n bigint, v text)');
  const chunk = recordChunk(values.map((value) => ({ value })));
  await harness.copyRecords('bytes', { n: '$offset', v: '$value' }, chunk);
  const outcomes = await harness.copyRecords('utf8', { n: '$offset', v: '$value' }, chunk);
  const stored = await harness.client.query<{ n: string; v: Buffer; t: string | null }>(
    'SELECT n, b.v, u.v AS t FROM bytes b LEFT JOIN utf8 u USING (n)',
  );
  expect(stored.rowCount).toBe(values.length);
  for (const { n, v, t } of stored.rows) {
    const value = values[Number(n)] as Buffer;
    expect(v.equals(value)).toBe(true);
    const isText = Buffer.from(value.toString('utf8')).equals(value) && !value.includes(0);
    expect(outcomes[Number(n)] === undefined).toBe(isText);
    expect(t).toBe(isText ? value.toString('utf8') : null);
  }
});
