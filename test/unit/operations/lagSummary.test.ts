import { describe, expect, test } from 'vitest';
import { partitionKey } from '../../../src/model/index.ts';
import { type PartitionPosition, summariseLag } from '../../../src/operations/index.ts';

function at(topic: string, partition: number, lag: bigint | undefined, state: PartitionPosition['state'] = 'running') {
  return { topic, partition, row: undefined, log: undefined, lag, state, reason: undefined };
}

function summary(positions: readonly PartitionPosition[], ages: readonly (number | undefined)[] = []) {
  const seconds = new Map(
    positions.flatMap((of, index) => {
      const age = ages[index];
      return age === undefined ? [] : [[partitionKey(of), age] as const];
    }),
  );
  return summariseLag(positions, { seconds });
}

describe('lag of topics', () => {
  test('is the sum of their partitions, with the worst of them beside it', () => {
    const positions = [at('a', 0, 5n), at('a', 1, 0n, 'parked'), at('a', 2, 7n), at('b', 0, 1n)];
    const { topics, total } = summary(positions, [3, 0, 1, 60]);
    expect(topics).toEqual([
      {
        ...{ topic: 'a', partitions: 3, lag: 12n, lagMax: 7n, lagUnknown: 0, lagSecondsMax: 3 },
        states: { running: 2, parked: 1 },
      },
      { topic: 'b', partitions: 1, lag: 1n, lagMax: 1n, lagUnknown: 0, lagSecondsMax: 60, states: { running: 1 } },
    ]);
    expect(total).toEqual({
      ...{ partitions: 4, lag: 13n, lagMax: 7n, lagUnknown: 0, lagSecondsMax: 60 },
      states: { running: 3, parked: 1 },
    });
  });

  test('counts what is unknown, and is unknown where everything is', () => {
    const { topics, total } = summary([at('a', 0, undefined, 'topic missing'), at('b', 0, 3n)]);
    expect(topics[0]).toMatchObject({ lag: 0n, lagMax: undefined, lagUnknown: 1, lagSecondsMax: undefined });
    expect(total).toMatchObject({ lag: 3n, lagMax: 3n, lagUnknown: 1 });
  });

  test('of nothing is nothing', () => {
    expect(summary([])).toEqual({
      topics: [],
      total: { partitions: 0, lag: 0n, lagMax: undefined, lagUnknown: 0, lagSecondsMax: undefined, states: {} },
    });
  });
});
