import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter, type LongLine } from '../../../src/receiver/socket/lineSplitter.ts';

/** Lines, and what is told of long ones when they have ended. */
function split(pieces: readonly Buffer[], lineBytesMax: number) {
  const splitter = new LineSplitter(lineBytesMax);
  const found: (Buffer | LongLine)[] = [];
  for (const piece of pieces) {
    // The reader's buffer is used again: what was taken of it must not change with it.
    const reused = Buffer.from(piece);
    found.push(...splitter.push(reused));
    reused.fill('#');
  }
  const last = splitter.end();
  if (last !== undefined) found.push(last);
  return found;
}

const shown = (found: readonly (Buffer | LongLine)[]) =>
  found.map((line) => (Buffer.isBuffer(line) ? line.toString('latin1') : line));

/** The same on the whole text at once. */
function reference(bytes: Buffer, lineBytesMax: number) {
  const parts = bytes.toString('latin1').split('\n');
  let byteOffset = 0;
  return parts.flatMap((part, index) => {
    const isLast = index === parts.length - 1;
    const line = isLast ? part : part.replace(/\r$/, '');
    const start = byteOffset;
    byteOffset += part.length + 1;
    if (isLast && part.length === 0) return [];
    return [line.length > lineBytesMax ? { line: index + 1, byteOffset: start, bytes: line.length } : line];
  });
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => Math.min(place, bytes.length)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const ended = (found: readonly (Buffer | LongLine)[]) =>
  found.filter((line) => Buffer.isBuffer(line) || line.bytes !== undefined);

describe('lines of a stream of bytes', () => {
  const text = Buffer.from('one\r\n\nzwölf €\n\r\r\n👍 – last');

  test('the same lines wherever one cut is made, inside a character or between \\r and \\n too', () => {
    const lines = ['one', '', 'zwölf €', '\r', '👍 – last'];
    for (let at = 0; at <= text.length; at += 1) {
      const found = split(cut(text, [at]), 1000);
      expect(found.map(String)).toEqual(lines);
    }
    expect(
      split(
        [...text].map((byte) => Buffer.of(byte)),
        1000,
      ).map(String),
    ).toEqual(lines);
  });

  test('any bytes, any pieces, any limit: as if it had come at once', () => {
    const bytes = fc
      .array(fc.constantFrom(0x0a, 0x0a, 0x0d, 0x61, 0xc3, 0xff, 0x00), { maxLength: 60 })
      .map((values) => Buffer.from(values));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(60)), fc.integer({ min: 1, max: 12 }), (input, places, limit) => {
        expect(shown(ended(split(cut(input, places), limit)))).toEqual(reference(input, limit));
      }),
      { numRuns: 2000 },
    );
  });

  test('a line of exactly the limit is a line, its \\r not counted', () => {
    expect(shown(split([Buffer.from('abcd\r\nabcd\nabcd')], 4))).toEqual(['abcd', 'abcd', 'abcd']);
    expect(shown(split([Buffer.from('ok\nabcde\nok')], 4))).toEqual(['ok', { line: 2, byteOffset: 3, bytes: 5 }, 'ok']);
  });

  test('a line without end is told when it passes the limit, once, and holds no memory', () => {
    const splitter = new LineSplitter(1000);
    const piece = Buffer.alloc(65_536, 'x');
    const found = Array.from({ length: 200 }, () => [...splitter.push(piece)]).flat();
    expect(found).toEqual([{ line: 1, byteOffset: 0, bytes: undefined }]);
    expect(splitter.unfinishedBytes).toBe(200 * 65_536);
    expect([...splitter.push(Buffer.from('\nnext\n'))]).toEqual([
      { line: 1, byteOffset: 0, bytes: 200 * 65_536 },
      Buffer.from('next'),
    ]);
  });
});
