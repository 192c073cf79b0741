import { describe, expect, test } from 'vitest';
import { TidemarkError } from '../../../../../src/errors.ts';
import { boundsOf } from '../../../../../src/kafka/drivers/confluent/lookups.ts';

const of = { topic: 'orders', partition: 2 };
const listed = (offset: number, error?: TidemarkError) => ({ offset, leaderEpoch: 3, error });

describe('what librdkafka lists of a partition', () => {
  test('three offsets are its bounds', () => {
    expect(boundsOf(of, [listed(0), listed(7), listed(9)])).toEqual({
      logStartOffset: 0n,
      lastStableOffset: 7n,
      highWatermark: 9n,
    });
  });

  test.each([
    [[listed(-1001), listed(7), listed(9)]],
    [[listed(0), listed(-1001), listed(9)]],
    [[listed(0), listed(7), listed(-1001)]],
    [[listed(0), listed(7), undefined]],
  ] as const)('an offset that is missing without an error is to be asked for again, %#', (answers) => {
    expect(boundsOf(of, answers)).toMatchObject({ code: 'KAFKA_REQUEST_FAILED', retriable: true, ...of });
  });

  test('an error is told as it is', () => {
    const error = new TidemarkError('KAFKA_TOPIC_MISSING', 'gone');
    expect(boundsOf(of, [listed(0), listed(-1, error), listed(-1001)])).toBe(error);
  });
});
