import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipped, oneLine, readableBytes } from '../../../src/cli/peekText.ts';

const shown = (bytes: Buffer | string, wanted: 'json' | 'text' | 'hex' = 'json') =>
  readableBytes(Buffer.from(bytes as string), wanted);

describe('bytes for people', () => {
  test.each([
    ['{"a": 1}', 'json', { format: 'json', text: '{"a": 1}' }],
    ['12345678901234567890', 'json', { format: 'json', text: '12345678901234567890' }],
    ['hello', 'json', { format: 'text', text: 'hello' }],
    ['{"a": 1', 'json', { format: 'text', text: '{"a": 1' }],
    ['', 'json', { format: 'text', text: '' }],
    ['{"a": 1}', 'text', { format: 'text', text: '{"a": 1}' }],
    ['{"a": 1}', 'hex', { format: 'hex', text: '7b2261223a20317d' }],
  ] as const)('%j as %s', (bytes, wanted, expected) => {
    expect(shown(bytes, wanted)).toEqual(expected);
  });

  test('what is not UTF-8 is hexadecimal, whatever was wanted', () => {
    const bytes = Buffer.from([0, 0, 0, 0, 7, 0xff]);
    expect(readableBytes(bytes, 'text')).toEqual({ format: 'hex', text: '0000000007ff' });
    expect(readableBytes(bytes, 'json')).toEqual({ format: 'hex', text: '0000000007ff' });
  });

  test('JSON over several lines is put on one, and means the same', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const pretty = JSON.stringify(JSON.parse(json), null, 2);
        const line = oneLine(shown(pretty));
        expect(line).not.toContain('\n');
        expect(JSON.parse(line)).toEqual(JSON.parse(json));
      }),
    );
  });

  test('nothing in a record gets at the terminal', () => {
    expect(oneLine(shown('a\u001b[2Jb\r\nc\u202e'))).toBe('a\\u001b[2Jb\\u000d\\u000ac\\u202e');
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (codes) => {
        const text = String.fromCharCode(...codes);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: those are looked for
        expect(oneLine(shown(text))).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
      }),
    );
  });

  test('a text is cut to its width, between characters', () => {
    expect(clipped('abcdef', 6)).toBe('abcdef');
    expect(clipped('abcdefg', 6)).toBe('abcde…');
    expect(clipped('abcd😀fg', 6)).toBe('abcd…');
  });
});
