import { expect, test } from 'vitest';
import { nearestName } from '../../../src/platform/index.ts';

const names = ['topics', 'topicPattern', 'partitions', 'reset', 'lingerMs', 'maxRatePerPartition'];

test.each([
  ['topic', 'topics'],
  ['tpoics', 'topics'],
  ['topicpattern', 'topicPattern'],
  ['rest', 'reset'],
  ['linger', 'lingerMs'],
  ['LINGERMS', 'lingerMs'],
  ['maxRatePerPartiton', 'maxRatePerPartition'],
])('%s means %s', (wanted, expected) => {
  expect(nearestName(wanted, names)).toBe(expected);
});

test.each(['', 'x', 'url', 'connectionString', 'mode'])('nothing is near %j', (wanted) => {
  expect(nearestName(wanted, names)).toBeUndefined();
});

test('the nearest of several wins, whatever their order', () => {
  expect(nearestName('topics1', ['topicsAB', 'topics'])).toBe('topics');
  expect(nearestName('topics1', ['topics', 'topicsAB'])).toBe('topics');
});
