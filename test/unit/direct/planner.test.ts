import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRange } from '../../../src/direct/planner.ts';

const limits = { maxRecordsPerPartition: 50_000, maxBytesPerPartition: 8_388_608 };
const input = {
  topic: 'orders',
  partition: 3,
  position: 100n,
  readableEnd: 1_000_000n,
  untilMax: undefined,
  recordsMax: undefined,
  bytesPerOffset: 0,
};

describe('planning a range', () => {
  it.each([
    ['the limit of records', {}, 50_100n],
    ['the end of what is stable', { readableEnd: 150n }, 150n],
    ['the limit of bytes, by the estimate', { bytesPerOffset: 8192 }, 1124n],
    ['one offset when a record is larger than the limit of bytes', { bytesPerOffset: 1e9 }, 101n],
    ['the rate', { recordsMax: 7 }, 107n],
    ['an ordered skip ahead', { untilMax: 120n }, 120n],
    ['nothing when the rate gives nothing', { recordsMax: 0 }, 100n],
    ['nothing at the end of the log', { readableEnd: 100n }, 100n],
    ['nothing when the log ends before the position', { readableEnd: 50n }, 100n],
    ['nothing when the skip begins here', { untilMax: 100n }, 100n],
  ])('ends at %s', (_, change, until) => {
    const range = planRange({ ...input, ...change }, limits);
    expect(String(range)).toBe(`OffsetRange(topic: 'orders', partition: 3, range: [100 -> ${until}])`);
  });

  it('never passes what is stable, never goes back, beyond 2^53 as well', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 62n }),
        fc.bigInt({ min: 0n, max: 2n ** 62n }),
        fc.option(fc.bigInt({ min: 0n, max: 2n ** 62n }), { nil: undefined }),
        fc.option(fc.nat(), { nil: undefined }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (position, readableEnd, untilMax, recordsMax, bytesPerOffset) => {
          const range = planRange({ ...input, position, readableEnd, untilMax, recordsMax, bytesPerOffset }, limits);
          expect(range.fromOffset).toBe(position);
          if (range.isEmpty) return;
          expect(range.untilOffset <= readableEnd).toBe(true);
          expect(range.offsetCount <= BigInt(limits.maxRecordsPerPartition)).toBe(true);
          if (untilMax !== undefined) expect(range.untilOffset <= untilMax).toBe(true);
          if (recordsMax !== undefined) expect(range.offsetCount <= BigInt(recordsMax)).toBe(true);
        },
      ),
    );
  });
});
