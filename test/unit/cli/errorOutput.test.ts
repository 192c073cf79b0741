import { expect, test } from 'vitest';
import { errorText } from '../../../src/cli/errorOutput.ts';
import { textTable } from '../../../src/cli/table.ts';
import { redactor } from '../../../src/config/index.ts';
import { TidemarkError } from '../../../src/errors.ts';

const error = new TidemarkError('KAFKA_TOPIC_MISSING', 'Topic orders does not exist', {
  topic: 'orders',
  offset: 9_007_199_254_740_993n,
  hint: 'Create it.',
});

const same = (text: string) => text;

test('an error is text with its code and the way out', () => {
  expect(errorText(error, false, same)).toBe(
    'tidemark: Topic orders does not exist [KAFKA_TOPIC_MISSING]\ntidemark: hint: Create it.\n',
  );
});

test('an error is one line of JSON, offsets with every digit', () => {
  expect(JSON.parse(errorText(error, true, same))).toEqual({
    error: {
      code: 'KAFKA_TOPIC_MISSING',
      message: 'Topic orders does not exist',
      retriable: false,
      topic: 'orders',
      hint: 'Create it.',
      offset: '9007199254740993',
      exitCode: 1,
    },
  });
});

test('what is no error of ours comes with its stack, and each line says who speaks', () => {
  const text = errorText(new TypeError('x is not a function'), false, same);
  expect(text).toMatch(/^tidemark: TypeError: x is not a function\ntidemark: {5}at /);
});

test('a table aligns numbers to the right', () => {
  expect(
    textTable(
      ['TOPIC', 'LAG', 'STATE'],
      [
        ['orders', '5', 'running'],
        ['o', '1200', 'not started'],
        ['x', '-', 'ok'],
      ],
    ),
  ).toBe('TOPIC    LAG  STATE\norders     5  running\no       1200  not started\nx          -  ok\n');
  expect(textTable(['A'], [])).toBe('A\n');
});

test('secrets are taken out of what the error says, never out of our own words', () => {
  const hide = redactor(['tidemark', 'message']);
  const refused = new TidemarkError('SINK_AUTHENTICATION_FAILED', 'the message tidemark was refused');
  expect(errorText(refused, false, hide)).toBe('tidemark: the *** *** was refused [SINK_AUTHENTICATION_FAILED]\n');
  expect(JSON.parse(errorText(refused, true, hide))).toMatchObject({ error: { message: 'the *** *** was refused' } });
});
