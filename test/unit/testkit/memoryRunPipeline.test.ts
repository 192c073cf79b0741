import { describe, expect, test } from 'vitest';
import type { KafkaRecord } from '../../../src/index.ts';
import { isTidemarkError } from '../../../src/index.ts';
import { type InputRecord, runPipeline } from '../../../src/testkit/index.ts';

interface Order {
  readonly id: number;
  readonly test?: boolean;
}

const orders: readonly InputRecord[] = [
  { key: 'a', value: { id: 1 } },
  { key: 'b', value: { id: 2, test: true } },
  { key: 'c', value: { id: 3 } },
];

const transform = (record: KafkaRecord) => {
  const order = record.json() as Order;
  return order.test ? undefined : { id: order.id, key: record.key?.toString() };
};

/** Gives up at one order, as a transform with a bug does. */
const brittle = (record: KafkaRecord) => {
  const order = record.json() as Order;
  if (order.test) throw new RangeError('no tests please');
  return { id: order.id };
};

describe('a transform run over records', () => {
  test('gives its rows, and says what became of each record', async () => {
    const { rows, records } = await runPipeline(orders, { transform });
    expect(rows).toEqual([
      { id: 1, key: 'a' },
      { id: 3, key: 'c' },
    ]);
    expect(records.map(({ offset, outcome }) => [offset, outcome])).toEqual([
      [0n, 'produced'],
      [1n, 'dropped'],
      [2n, 'produced'],
    ]);
  });

  test('sees records as they were given: bytes, texts, headers, timestamps, places', async () => {
    const seen: unknown[] = [];
    const given: InputRecord[] = [
      {
        topic: 'x',
        partition: 1,
        key: Buffer.from([1]),
        value: 'text',
        timestamp: 5,
        headers: [
          ['h', '1'],
          ['h', null],
        ],
      },
      { topic: 'y', value: null },
    ];
    await runPipeline(given, {
      transform: ({ topic, partition, key, value, timestamp, headers }) => {
        seen.push([
          topic,
          partition,
          key?.toString('hex'),
          value?.toString(),
          headers.map(([, bytes]) => bytes?.toString()),
        ]);
        return { timestamp };
      },
    });
    expect(seen.sort()).toEqual([
      ['x', 1, '01', 'text', ['1', undefined]],
      ['y', 0, undefined, undefined, []],
    ]);
  });

  test('may be of batches, asynchronous, of several rows, or none at all', async () => {
    const batch = async (records: readonly KafkaRecord[]) => records.map((record) => [transform(record) ?? []].flat());
    const { rows } = await runPipeline(orders, { transform: { batch } });
    expect(rows).toHaveLength(2);
    const several = await runPipeline(orders, {
      transform: async (record) => [{ n: 1 }, { n: Number(record.offset) }],
    });
    expect(several.rows.map(({ n }) => n)).toEqual([1, 0, 1, 1, 1, 2]);
    const plain = await runPipeline([{ key: 'k', value: 'v', timestamp: 7 }]);
    expect(plain.rows).toEqual([{ key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestamp: 7 }]);
    expect((await runPipeline([], { transform })).rows).toEqual([]);
  });

  test('fails with its own error and the record when it throws', async () => {
    const error: unknown = await runPipeline(orders, { transform: brittle }).catch((failure: unknown) => failure);
    if (!isTidemarkError(error)) throw error;
    expect(error).toMatchObject({ code: 'TRANSFORM_FAILED', topic: 'input', partition: 0, offset: 1n });
    expect(error.message).toContain('no tests please');
    expect(error.message).toContain("key: 'b'");
    expect(error.message).toContain('test: true');
    expect(error.cause).toBeInstanceOf(RangeError);
  });

  test('parks, or skips, as the pipeline would', async () => {
    const parked = await runPipeline(orders, { transform: brittle, allowParked: true });
    expect(parked.records.map(({ outcome }) => outcome)).toEqual(['produced', 'parked', 'unread']);
    expect(parked.records[1]?.error?.code).toBe('TRANSFORM_FAILED');
    const skipped = await runPipeline(orders, { transform: brittle, onError: { record: 'skip' } });
    expect(skipped.records.map(({ outcome }) => outcome)).toEqual(['produced', 'skipped', 'produced']);
    expect(skipped.rows).toEqual([{ id: 1 }, { id: 3 }]);
  });

  test('is tried again as often as it is told', async () => {
    const attempts: number[] = [];
    const { rows } = await runPipeline([{ value: 'x' }], {
      onError: { attempts: 2 },
      transform: (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 2) throw new Error('not yet');
        return { attempt };
      },
    });
    expect([attempts, rows]).toEqual([[1, 2], [{ attempt: 2 }]]);
  });

  test('options that no pipeline takes are refused', async () => {
    const error = runPipeline(orders, { batch: { lingerMs: -1 } });
    await expect(error).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
