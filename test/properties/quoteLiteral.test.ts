import fc from 'fast-check';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openConnection, quoteIdentifier, quoteLiteral, storable } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService } from '../services/index.ts';

let client: Client;

beforeAll(async () => {
  const { url } = await postgresService();
  client = await openConnection({ connectionString: url, applicationName: 'tidemark:quote' });
});
afterAll(() => client.end());

/** Characters that mean something to the lexer, and ones of one to four bytes. */
const nasty = fc.constantFrom(
  "'",
  '"',
  '\\',
  '$',
  ';',
  '-',
  '/',
  '*',
  '\n',
  '\r',
  '\t',
  '%',
  '{',
  'E',
  'U&',
  '\u0001',
  'é',
  '注',
  '🦀',
  '\u2028',
);
const text = fc.oneof(
  fc.array(nasty, { maxLength: 1000 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 1000 }).map((any) => any.replaceAll('\0', '')),
);
const name = text.filter((any) => Buffer.byteLength(any) >= 1 && Buffer.byteLength(any) <= 63);

describe.each(['on', 'off'])('with standard_conforming_strings %s', (setting) => {
  beforeAll(async () => {
    await client.query(`SET standard_conforming_strings = ${setting}`);
    await client.query('SET escape_string_warning = off');
  });

  test('a literal is the text, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (one, other) => {
        // Side by side, as in the argument list of the commit; the comment would swallow what breaks out.
        const { rows } = await client.query(
          `SELECT f.* FROM (SELECT ${quoteLiteral(one)}::text AS a,${quoteLiteral(other)}::text AS b) f -- '`,
        );
        expect(rows).toEqual([{ a: one, b: other }]);
      }),
      { numRuns: 300 },
    );
  });

  test('an identifier is the name, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(name, async (one) => {
        const { fields } = await client.query(`SELECT 1 AS ${quoteIdentifier(one)}`);
        expect(fields[0]?.name).toBe(one);
      }),
      { numRuns: 300 },
    );
  });
});

test('what no text of the server can hold is refused, or replaced where the text is only for people', () => {
  for (const bad of ['a\0b', 'a\uD800b', '\uDC00', 'x\uDBFF']) {
    expect(() => quoteLiteral(bad)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => quoteIdentifier(bad)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => quoteLiteral(storable(bad))).not.toThrow();
  }
  expect(storable('a\0b\uD800c🦀')).toBe('a\uFFFDb\uFFFDc🦀');
});
