import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as kinds from '../../src/sinks/postgres/json/jsonKinds.ts';
import { JsonSyntaxError } from '../../src/sinks/postgres/json/jsonLexer.ts';
import { type JsonPath, pathTree } from '../../src/sinks/postgres/json/jsonPath.ts';
import { JsonScanner, jsonDepthMax } from '../../src/sinks/postgres/json/jsonScanner.ts';

/** What JSON.parse makes of the text: the standard that the scanner is held to. */
function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** The value at a path, own properties only; undefined where there is none. */
function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root;
  for (const step of path) {
    const fits = typeof step === 'number' ? Array.isArray(value) : typeof value === 'object' && !Array.isArray(value);
    if (!fits || value === null || !Object.hasOwn(value as object, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

/** A document in the middle of other bytes, as a value lies in a record batch. */
function scanned(text: string | Buffer, paths: readonly JsonPath[]) {
  const document = Buffer.from(text as string);
  const bytes = Buffer.concat([Buffer.from('"}1'), document, Buffer.from('0}",')]);
  const scanner = new JsonScanner(pathTree(paths));
  scanner.scan(bytes, 3, 3 + document.length);
  return { bytes, scanner };
}

function accepts(text: string | Buffer): boolean {
  try {
    scanned(text, []);
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(JsonSyntaxError);
    return false;
  }
}

/** The slice of a slot, read back as JSON. */
function slotValue({ bytes, scanner }: ReturnType<typeof scanned>, slot: number): unknown {
  const kind = scanner.kinds[slot];
  if (kind === kinds.kindMissing) return undefined;
  const text = bytes.toString('utf8', scanner.starts[slot], scanner.ends[slot]);
  if (kind === kinds.kindString) {
    expect(text).not.toContain('\\');
    return text;
  }
  return JSON.parse(kind === kinds.kindEscapedString ? `"${text}"` : text);
}

const key = fc.constantFrom(
  'a',
  'b',
  'id',
  '',
  'ä',
  '__proto__',
  'constructor',
  'with "quotes"',
  'x\u0000',
  '\ud83d\ude00',
);
const path = fc.array(fc.oneof(key, fc.nat({ max: 3 })), { maxLength: 4 });
const { document } = fc.letrec<{ document: unknown }>((tie) => ({
  document: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -0, 1, -17, 1.5e-7, 9_007_199_254_740_992, 1e300),
    fc.string({ unit: 'binary' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.array(tie('document'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('document')), { maxLength: 6 }).map((entries) => new Entries(entries)),
  ),
}));

/** Members in order, equal keys included, which no JS object can hold. */
class Entries {
  readonly list: readonly (readonly [string, unknown])[];

  constructor(list: readonly (readonly [string, unknown])[]) {
    this.list = list;
  }
}

/** JSON text with the freedoms its grammar gives: spaces, and characters escaped that need not be. */
function written(value: unknown, choice: () => number): string {
  const space = () => ' \n\r\t'.slice(0, choice() % 3 === 0 ? choice() % 5 : 0);
  const pad = (text: string) => space() + text + space();
  if (typeof value === 'string') {
    const text = JSON.stringify(value);
    if (choice() % 3 !== 0) return pad(text);
    const escaped = [...value].flatMap((character) => character.split(''));
    const units = escaped.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    return pad(`"${units.join('')}"`);
  }
  if (Array.isArray(value)) return pad(`[${value.map((item) => written(item, choice)).join(',') || space()}]`);
  if (value instanceof Entries) {
    const members = value.list.map(([name, item]) => `${written(name, choice)}:${written(item, choice)}`);
    return pad(`{${members.join(',') || space()}}`);
  }
  return pad(Object.is(value, -0) ? '-0' : JSON.stringify(value));
}

const text = fc
  .tuple(document, fc.infiniteStream(fc.nat({ max: 1000 })))
  .map(([value, stream]) => written(value, () => stream.next().value));

test('finds what JSON.parse finds, duplicate keys and escapes included', () => {
  fc.assert(
    fc.property(text, fc.array(path, { maxLength: 6 }), (document, paths) => {
      const reference = parsed(document);
      expect(reference).toBeDefined();
      const result = scanned(document, paths);
      for (const [slot, wanted] of paths.entries()) {
        const isSame = isDeepStrictEqual(slotValue(result, slot), valueAt(reference?.value, wanted));
        expect(isSame, JSON.stringify(wanted)).toBe(true);
      }
    }),
    { numRuns: 1500 },
  );
});

test('accepts and refuses the same texts as JSON.parse', () => {
  const mutated = fc
    .tuple(
      text,
      fc.nat(),
      fc.constantFrom(
        '',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '0',
        '-',
        '.',
        'e',
        '\u0000',
        '\ufeff',
        'u',
        'null',
        '\u001f',
        '\u00a0',
      ),
      fc.nat({ max: 3 }),
    )
    .map(([document, at, insert, cut]) => {
      const position = at % (document.length + 1);
      return (document.slice(0, position) + insert + document.slice(position + cut)).toWellFormed();
    });
  fc.assert(
    fc.property(mutated, (document) => {
      expect(accepts(document)).toBe(parsed(document) !== undefined);
    }),
    { numRuns: 8000 },
  );
});

test('refuses what is not UTF-8, wherever it stands', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const flipped = fc.tuple(text, fc.nat(), fc.integer({ min: 0x80, max: 0xff })).map(([document, at, byte]) => {
    const bytes = Buffer.from(document);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(flipped, (bytes) => {
      let reference: unknown;
      try {
        reference = parsed(decoder.decode(bytes));
      } catch {
        reference = undefined;
      }
      expect(accepts(bytes)).toBe(reference !== undefined);
    }),
    { numRuns: 2500 },
  );
});

test('never throws anything but its own error, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      accepts(Buffer.from(bytes));
    }),
    { numRuns: 2500 },
  );
});

test.each([
  ['[', ']'],
  ['{"a":', '}'],
])('refuses %s nested deeper than its limit, and nothing less deep', (open, close) => {
  const nested = (depth: number) => `${open.repeat(depth)}${depth === 0 ? '' : '1'}${close.repeat(depth)}`;
  expect(accepts(nested(jsonDepthMax))).toBe(true);
  expect(accepts(nested(jsonDepthMax + 1))).toBe(false);
  expect(accepts(nested(200_000))).toBe(false);
});

test('says where a document stops being JSON', () => {
  const reasonFor = (document: string) => {
    try {
      scanned(document, []);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(reasonFor('{"a": 01}')).toBe("unexpected '1' at byte 7");
  expect(reasonFor('{"a": tru}')).toBe("unexpected '}' at byte 9");
  expect(reasonFor('{"a"')).toBe('unexpected end at byte 4');
  expect(reasonFor('"\n"')).toBe('unexpected byte 0xa at byte 1');
  expect(reasonFor('')).toBe('unexpected end at byte 0');
  expect(reasonFor('1 2')).toBe("unexpected '2' at byte 2");
});

test('a place below a value that a duplicate key replaced is missing', () => {
  const result = scanned('{"a":{"b":1},"a":{"c":2}}', [['a', 'b'], ['a', 'c'], ['a']]);
  expect([0, 1, 2].map((slot) => slotValue(result, slot))).toStrictEqual([undefined, 2, { c: 2 }]);
});

test.each([
  ['"\\u0000"', true],
  ['"\\ud800"', true],
  ['"\\ud800x\\udc00"', true],
  ['"\\udc00\\ud800"', true],
  ['"\\ud800\\ud800\\udc00"', true],
  ['{"\\u0000": 1}', true],
  ['"\\ud83d\\ude00"', false],
  ['"\\\\u0000"', false],
  ['"\\\\\\u0000"', true],
  ['"\\u0001"', false],
])('knows whether %s can be stored', (document, expected) => {
  expect(scanned(document, []).scanner.hasUnstorableEscape).toBe(expected);
});
