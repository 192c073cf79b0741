import { expect, test } from 'vitest';
import { parseColumnSource } from '../../../../src/sinks/postgres/mapping/columnSource.ts';

test.each<[string, unknown]>([
  ['$key', { kind: 'part', part: 'key' }],
  ['$timestamp', { kind: 'part', part: 'timestamp' }],
  ['$value.a', { kind: 'path', path: ['a'] }],
  ['$value.a.b[0].c', { kind: 'path', path: ['a', 'b', 0, 'c'] }],
  ['$value[12]', { kind: 'path', path: [12] }],
  ['$value["a.b"]["\\"\\u00e9"]', { kind: 'path', path: ['a.b', '"é'] }],
  ["$value['x y'].z", { kind: 'path', path: ['x y', 'z'] }],
  ['$value.größe-x', { kind: 'path', path: ['größe-x'] }],
  ['$value["0"]', { kind: 'path', path: ['0'] }],
  ['name', { kind: 'field', name: 'name' }],
  ['a.b', { kind: 'field', name: 'a.b' }],
])('%s is understood', (text, source) => {
  expect(parseColumnSource(text)).toStrictEqual(source);
});

test.each([
  ['$values', 'did you mean $value?'],
  ['$', 'one of $key $value'],
  ['$nothing', 'one of $key $value'],
  ['$key.a', 'only $value is read as JSON'],
  ['$offset[0]', 'only $value is read as JSON'],
  ['$value.', 'is no path'],
  ['$value.a.', 'is no path'],
  ['$value..a', 'is no path'],
  ['$value[a]', 'is no path'],
  ['$value[-1]', 'is no path'],
  ['$value[0', 'is no path'],
  ['$value["a]', 'is no path'],
  ['$value["\\x"]', 'is no path'],
  ['$value a', 'is no path'],
])('%s is refused with the way out', (text, reason) => {
  expect(parseColumnSource(text)).toContain(reason);
});
