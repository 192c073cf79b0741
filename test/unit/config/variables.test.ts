// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configuration files are what is tested
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandVariables } from '../../../src/config/variables.ts';

const environment = { A: 'one', B: 'two: {three}', EMPTY: '', NESTED: '${A}' };

describe('variables in a text', () => {
  test.each([
    ['${A}', 'one'],
    ['x${A}y${B}z', 'xoney' + 'two: {three}z'],
    ['${A:-other}', 'one'],
    ['${NO:-other}', 'other'],
    ['${EMPTY}', ''],
    ['${EMPTY:-other}', 'other'],
    ['${NO:-}', ''],
    ['${NO:-a:-b}', 'a:-b'],
    ['${NO:-two\nlines}', 'two\nlines'],
    ['$${A}', '${A}'],
    ['$$${A}', '$${A}'],
    ['$value.a $A $ {A}', '$value.a $A $ {A}'],
    // What a variable holds is text, whatever it looks like.
    ['${NESTED}', '${A}'],
  ])('%j becomes %j', (text, expected) => {
    expect(expandVariables(text, environment)).toMatchObject({ text: expected, missing: [], malformed: undefined });
  });

  test('every missing variable is named, in order', () => {
    expect(expandVariables('${NO} ${A} ${ALSO_NO} ${NO}', environment).missing).toEqual(['NO', 'ALSO_NO', 'NO']);
  });

  test('what was put in is told', () => {
    expect(expandVariables('${A}${NO:-x}', environment).used).toEqual([
      { name: 'A', isDefault: false },
      { name: 'NO', isDefault: true },
    ]);
  });

  test.each([
    ['${', '${'],
    ['${A', '${A'],
    ['${}', '${}'],
    ['${1A}', '${1A}'],
    ['${A B}', '${A B}'],
    ['${A-x}', '${A-x}'],
    ['${NO:-${A}}', '${NO:-${A}'],
  ])('%j is not a variable', (text, malformed) => {
    expect(expandVariables(text, environment)).toMatchObject({ malformed });
  });

  test('a text without a dollar sign stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('$'));
        expect(expandVariables(text, environment)).toEqual({ text, used: [], missing: [], malformed: undefined });
      }),
    );
  });

  test('a value is put in as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(expandVariables('<${X}>', { X: value }).text).toBe(`<${value}>`);
      }),
    );
  });
});
