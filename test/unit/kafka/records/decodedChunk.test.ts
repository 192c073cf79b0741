import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DecodedRecord, decodedChunk } from '../../../../src/kafka/records/index.ts';

const where = { topic: 't', partition: 3 };
const bytes: fc.Arbitrary<Buffer | null> = fc.option(
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
);

const record = fc.record({
  gap: fc.integer({ min: 0, max: 2 ** 31 }),
  offset: fc.constant(0),
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 45 }), fc.constant(Number.MAX_SAFE_INTEGER)),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.tuple(fc.string(), bytes), { maxLength: 3 }),
  leaderEpoch: fc.integer({ min: -1, max: 2 }),
});

/** Records one after the other, with holes. */
const log = fc.array(record, { maxLength: 20 }).map((records) => {
  let next = 5;
  return records.map(({ gap, ...each }): DecodedRecord => {
    const offset = next + gap;
    next = offset + 1;
    return { ...each, offset };
  });
});

describe('a chunk of decoded records', () => {
  test('gives them as they were, holes included', () => {
    fc.assert(
      fc.property(log, (records) => {
        const until = BigInt(records.at(-1)?.offset ?? 5) + 4n;
        const chunk = decodedChunk(where, 5n, until, records);
        expect([chunk.fromOffset, chunk.nextOffset, chunk.leaderEpoch]).toEqual([
          5n,
          until,
          records.at(-1)?.leaderEpoch ?? -1,
        ]);
        const found = [];
        for (const cursor = chunk.cursor(); cursor.next(); ) {
          const { offset, timestamp, key, value, headers } = cursor.record();
          found.push({ offset: Number(offset), timestamp, key, value, headers });
        }
        expect(found).toEqual(records.map(({ leaderEpoch: _, ...each }) => each));
      }),
      { numRuns: 300 },
    );
  });

  test('without a record it still says what it covers', () => {
    const chunk = decodedChunk(where, 7n, 12n, []);
    expect([chunk.nextOffset, chunk.byteLength, chunk.recordCountMax, chunk.cursor().next()]).toEqual([
      12n,
      0,
      0,
      false,
    ]);
    expect(chunk.slice(8n, 9n).nextOffset).toBe(9n);
  });
});
