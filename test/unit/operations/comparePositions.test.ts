import { describe, expect, test } from 'vitest';
import { type ComparedPosition, comparePositions, parseChosenTopic } from '../../../src/operations/index.ts';

const at = (topic: string, partition: number, offset: bigint, topicId?: string): ComparedPosition => ({
  ...{ topic, partition, offset, topicId },
});

function compare(left: readonly ComparedPosition[], right: readonly ComparedPosition[], topics: string[] = []) {
  return comparePositions(left, right, { choice: topics.map(parseChosenTopic), pipeline: 'p' });
}

describe('two places compared', () => {
  test('right minus left, and what one side alone has', () => {
    const left = [at('b', 0, 5n, 'x'), at('a', 10, 1n), at('a', 2, 7n)];
    const right = [at('a', 10, 1n), at('b', 0, 3n, 'x'), at('c', 0, 0n)];
    expect(compare(left, right)).toMatchObject([
      { topic: 'a', partition: 2, left: 7n, right: undefined, difference: undefined, isEqual: false },
      { topic: 'a', partition: 10, left: 1n, right: 1n, difference: 0n, isEqual: true },
      { topic: 'b', partition: 0, left: 5n, right: 3n, difference: -2n, isEqual: false },
      { topic: 'c', partition: 0, left: undefined, right: 0n, difference: undefined, isEqual: false },
    ]);
  });

  test('equal numbers of two topics of one name are not equal', () => {
    expect(compare([at('a', 0, 5n, 'old')], [at('a', 0, 5n, 'new')])).toMatchObject([
      { left: 5n, right: 5n, difference: undefined, otherTopic: true, isEqual: false },
    ]);
    // Kafka's CSV has no ids, and a group none of a topic that is gone.
    for (const id of [undefined, '']) {
      expect(compare([at('a', 0, 5n, 'old')], [at('a', 0, 5n, id)])).toMatchObject([{ isEqual: true }]);
    }
  });

  test('only what was chosen', () => {
    const left = [at('a', 0, 1n), at('a', 1, 1n), at('b', 0, 1n)];
    expect(compare(left, [], ['a:1']).map(({ topic, partition }) => [topic, partition])).toEqual([['a', 1]]);
    expect(() => compare(left, left, ['c'])).toThrow('has no topic c');
    expect(() => compare(left, left, ['a:7'])).toThrow('has no partition 7');
  });

  test('nothing on either side is a mistake, not equal', () => {
    expect(() => compare([], [])).toThrow('Neither p nor what it is compared with has a position');
  });
});
