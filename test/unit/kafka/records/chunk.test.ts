import { describe, expect, test } from 'vitest';
import { encodeRecordBatch, encodeTransactionMarker } from '../../../../src/testkit/index.ts';
import { chunk, offsets, values } from '../../../fixtures/fetched.ts';

const first = encodeRecordBatch({
  baseOffset: 0n,
  leaderEpoch: 1,
  codec: 'gzip',
  records: [{ value: 'a' }, { offsetDelta: 3, value: 'd' }, { value: 'e' }],
});
const marker = encodeTransactionMarker({ baseOffset: 5n, producerId: 1n, type: 'commit', leaderEpoch: 1 });
const last = encodeRecordBatch({ baseOffset: 10n, leaderEpoch: 2, records: [{ value: 'k' }, { value: 'l' }] });
const whole = () => chunk([first, marker, last]);

describe('a slice', () => {
  test.each<[bigint, bigint, string[]]>([
    [0n, 12n, ['a', 'd', 'e', 'k', 'l']],
    [1n, 12n, ['d', 'e', 'k', 'l']],
    [0n, 4n, ['a', 'd']],
    [3n, 4n, ['d']],
    [1n, 3n, []],
    [4n, 11n, ['e', 'k']],
    [5n, 10n, []],
    [11n, 12n, ['l']],
  ])('[%s, %s) has the records of these offsets', (from, until, expected) => {
    const slice = whole().slice(from, until);
    expect(values(slice)).toEqual(expected);
    expect(slice).toMatchObject({ fromOffset: from, nextOffset: until });
    expect(slice.recordCountMax).toBeGreaterThanOrEqual(expected.length);
  });

  test('clamps its bounds to the chunk', () => {
    expect(whole().slice(-5n, 100n)).toMatchObject({ fromOffset: 0n, nextOffset: 12n });
    expect(whole().slice(20n, 30n)).toMatchObject({ fromOffset: 12n, nextOffset: 12n, recordCountMax: 0 });
    expect(whole().slice(4n, 2n)).toMatchObject({ fromOffset: 4n, nextOffset: 4n, recordCountMax: 0, byteLength: 0 });
    expect(values(whole().slice(4n, 2n))).toEqual([]);
  });

  test('counts the batches it touches', () => {
    expect(whole().slice(3n, 4n)).toMatchObject({ byteLength: first.length, leaderEpoch: 1, recordCountMax: 1 });
    expect(whole().slice(4n, 11n)).toMatchObject({
      byteLength: first.length + marker.length + last.length,
      leaderEpoch: 2,
      recordCountMax: 2,
    });
    expect(whole().slice(7n, 9n)).toMatchObject({ byteLength: 0, leaderEpoch: -1, recordCountMax: 0 });
  });

  test('cut between batches touches neither neighbour', () => {
    expect(whole().slice(0n, 5n)).toMatchObject({ byteLength: first.length, leaderEpoch: 1 });
    expect(whole().slice(5n, 6n)).toMatchObject({ byteLength: marker.length, leaderEpoch: 1 });
    expect(whole().slice(6n, 10n)).toMatchObject({ byteLength: 0, leaderEpoch: -1 });
    expect(whole().slice(10n, 12n)).toMatchObject({ byteLength: last.length, leaderEpoch: 2 });
  });

  test('can be sliced again, and the parts together are the whole', () => {
    const part = whole().slice(1n, 11n);
    expect([...offsets(part.slice(1n, 4n)), ...offsets(part.slice(4n, 11n))]).toEqual(offsets(part));
  });

  test('does not lose what the response said about aborted transactions', () => {
    const bytes = [
      encodeRecordBatch({ baseOffset: 0n, producerId: 1n, records: [{ value: 'no' }], isTransactional: true }),
      encodeRecordBatch({ baseOffset: 1n, producerId: 1n, records: [{ value: 'no' }], isTransactional: true }),
      encodeTransactionMarker({ baseOffset: 2n, producerId: 1n, type: 'abort' }),
    ];
    const found = chunk(bytes, { abortedTransactions: [{ producerId: 1n, firstOffset: 0n }] });
    expect(values(found.slice(1n, 3n))).toEqual([]);
    expect([...found.slice(1n, 2n).rawBatches()]).toEqual([]);
  });
});

describe('raw batches', () => {
  test('are the bytes of the broker, whole, control batches left out', () => {
    expect([...whole().slice(3n, 11n).rawBatches()]).toEqual([
      { baseOffset: 0n, lastOffset: 4n, leaderEpoch: 1, bytes: first },
      { baseOffset: 10n, lastOffset: 11n, leaderEpoch: 2, bytes: last },
    ]);
  });

  test('give the same records when they are read again', () => {
    const bytes = [...whole().rawBatches()].map((batch) => batch.bytes);
    expect(values(chunk(bytes))).toEqual(values(whole()));
  });
});

test('two cursors of one chunk do not disturb each other', () => {
  const found = whole();
  const one = found.cursor();
  const two = found.cursor();
  one.next();
  one.next();
  two.next();
  expect([one.offset, two.offset]).toEqual([3n, 0n]);
});
