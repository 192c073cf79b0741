import { describe, expect, test } from 'vitest';
import { isTidemarkError, type TidemarkError } from '../../../../src/errors.ts';
import type { RecordChunk } from '../../../../src/model/index.ts';
import {
  assembleRecordBatch,
  encodeRecordBatch,
  pack,
  type RecordBatchSpec,
  recordBatchLayout,
  sealRecordBatch,
  testCodecs,
} from '../../../../src/testkit/index.ts';
import { chunk, offsets, plainRecords, values } from '../../../fixtures/fetched.ts';

const time = 1_700_000_000_000;

function failure(of: RecordChunk): TidemarkError {
  try {
    plainRecords(of);
  } catch (error) {
    if (isTidemarkError(error)) return error;
    throw error;
  }
  throw new Error('everything was read');
}

/** A batch at offset 7 whose records are these bytes, checksum and all. */
function batchOf(bytes: readonly number[], more: Partial<RecordBatchSpec> = {}): RecordChunk {
  const records = more.records ?? [{}];
  return chunk(assembleRecordBatch({ baseOffset: 7n, ...more, records }, Buffer.from(bytes)));
}

describe('what a record holds', () => {
  test('null and empty are different things', () => {
    const records = [
      { key: null, value: null },
      { key: '', value: '' },
      { key: 'k', value: 'v' },
    ];
    const found = plainRecords(chunk(encodeRecordBatch({ baseOffset: 0n, records })));
    expect(found.map(({ key, value }) => [key?.toString() ?? null, value?.toString() ?? null])).toEqual([
      [null, null],
      ['', ''],
      ['k', 'v'],
    ]);
  });

  test('headers keep order, duplicates and nulls', () => {
    const headers = [
      ['b', Buffer.from('1')] as const,
      ['a', null] as const,
      ['b', Buffer.alloc(0)] as const,
      ['', null] as const,
    ];
    const [record] = plainRecords(chunk(encodeRecordBatch({ baseOffset: 0n, records: [{ headers }] })));
    expect(record?.headers).toEqual(headers);
  });

  test.each([0, 63, 64, 8_191, 8_192, 1_048_575, 1_048_576, 2_000_000])('a value of %i bytes', (length) => {
    const value = Buffer.alloc(length, 'x');
    const records = [{ key: value, value, headers: [['h', value] as const] }, { value: 'next' }];
    const [first, second] = plainRecords(chunk(encodeRecordBatch({ baseOffset: 0n, records })));
    expect(first?.key?.equals(value)).toBe(true);
    expect(first?.value?.equals(value)).toBe(true);
    expect(first?.headers[0]?.[1]?.equals(value)).toBe(true);
    expect(second?.value?.toString()).toBe('next');
  });

  test('offsets beyond 2^53, with large deltas', () => {
    const baseOffset = 2n ** 62n + 1n;
    const records = [{}, { offsetDelta: 70_000 }, { offsetDelta: 2_147_483_647 }];
    const found = chunk(encodeRecordBatch({ baseOffset, records }), { fromOffset: baseOffset });
    expect(offsets(found)).toEqual([baseOffset, baseOffset + 70_000n, baseOffset + 2_147_483_647n]);
    expect(found.nextOffset).toBe(baseOffset + 2_147_483_648n);
    expect(offsets(found.slice(baseOffset + 1n, baseOffset + 2_147_483_647n))).toEqual([baseOffset + 70_000n]);
  });

  test.each<[string, number | bigint, number | bigint]>([
    ['at the base', time, time],
    ['before the base', time, time - 5],
    ['days away', time, time + 30 * 86_400_000],
    ['from 1970', 0, time],
    ['to 1970', time, 0],
    ['without one', -1, -1],
    ['the largest safe one', time, Number.MAX_SAFE_INTEGER],
    ['nanoseconds', 1_700_000_000_000_000_123n, 1_700_000_000_000_000_456n],
    ['a nanosecond base', 1_700_000_000_000_000_123n, time],
    ['from the smallest to the largest', -(2n ** 63n), 2n ** 63n - 1n],
  ])('a timestamp %s', (_, baseTimestamp, timestamp) => {
    const records = [{ timestamp }, { timestamp: baseTimestamp }];
    const found = plainRecords(chunk(encodeRecordBatch({ baseOffset: 0n, baseTimestamp, records })));
    expect(found.map((record) => record.timestamp)).toEqual([Number(timestamp), Number(baseTimestamp)]);
  });

  test('append time replaces every timestamp, and the batch behind it has its own again', () => {
    const records = [{ timestamp: time + 2 ** 50 }, { timestamp: 5 }];
    const bytes = [
      encodeRecordBatch({ baseOffset: 0n, records, timestampType: 'append', maxTimestamp: time + 9 }),
      encodeRecordBatch({ baseOffset: 2n, records: [{ timestamp: time + 1 }] }),
    ];
    expect(plainRecords(chunk(bytes)).map(({ timestamp, timestampType }) => [timestamp, timestampType])).toEqual([
      [time + 9, 'append'],
      [time + 9, 'append'],
      [time + 1, 'create'],
    ]);
  });
});

describe('the walk', () => {
  test('goes through batches of different codecs and over empty ones', () => {
    const bytes = testCodecs.map((codec, index) =>
      encodeRecordBatch({ baseOffset: BigInt(index * 10), codec, records: [{ value: codec }] }),
    );
    const empty = encodeRecordBatch({ baseOffset: 5n, records: [], lastOffsetDelta: 3 });
    expect(values(chunk([bytes[0] as Buffer, empty, ...bytes.slice(1)]))).toEqual([...testCodecs]);
  });

  test.each(testCodecs)('an empty batch with codec %s, with and without bytes of the codec', (codec) => {
    const spec = { baseOffset: 0n, records: [], lastOffsetDelta: 9, codec };
    for (const packed of [Buffer.alloc(0), pack(codec, Buffer.alloc(0))]) {
      const found = chunk(assembleRecordBatch(spec, packed));
      expect(offsets(found)).toEqual([]);
      expect(found.nextOffset).toBe(10n);
    }
  });

  test('stays at its end', () => {
    const cursor = chunk(encodeRecordBatch({ baseOffset: 0n, records: [{}] })).cursor();
    expect([cursor.next(), cursor.next(), cursor.next()]).toEqual([true, false, false]);
    const part = chunk(encodeRecordBatch({ baseOffset: 0n, records: [{}, {}, {}] }))
      .slice(0n, 1n)
      .cursor();
    expect([part.next(), part.next(), part.next()]).toEqual([true, false, false]);
  });

  test('batches are unpacked when the walk reaches them', () => {
    const bad = assembleRecordBatch({ baseOffset: 1n, codec: 'gzip', records: [{}] }, Buffer.from('not gzip'));
    const cursor = chunk([
      encodeRecordBatch({ baseOffset: 0n, codec: 'gzip', records: [{ value: 'a' }] }),
      bad,
    ]).cursor();
    expect(cursor.next()).toBe(true);
    expect(() => cursor.next()).toThrow(/does not unpack as gzip/);
  });

  test('a failed walk fails again with the same error', () => {
    const cursor = batchOf([0x0c, 0, 0, 0, 1, 1, 0, 0xaa], { lastOffsetDelta: 5 }).cursor();
    expect(cursor.next()).toBe(true);
    const errors = [1, 2].map(() => {
      try {
        return cursor.next();
      } catch (error) {
        return error;
      }
    });
    expect(isTidemarkError(errors[0], 'KAFKA_CORRUPT_BATCH')).toBe(true);
    expect(errors[1]).toBe(errors[0]);
  });
});

/** A record of 6 bytes: attributes, timestamp, offset delta 0, null key, null value, no headers. */
const smallest = [0x0c, 0, 0, 0, 1, 1, 0];

describe('a batch whose records do not decode', () => {
  test.each<[string, RegExp, number[], Partial<RecordBatchSpec>]>([
    ['fewer records than declared', /a record does not fit/, smallest, { records: [{}, {}] }],
    ['bytes behind the last record', /bytes follow its last record/, [...smallest, 0], {}],
    ['bytes in an empty batch', /bytes follow its last record/, smallest, { records: [], lastOffsetDelta: 0 }],
    ['no bytes', /a record does not fit/, [], {}],
    ['a record longer than the batch', /a record does not fit/, [0x0e, ...smallest.slice(1)], {}],
    ['a negative record length', /a record does not fit/, [0x0b, ...smallest.slice(1)], {}],
    ['a record too short to be one', /a record does not fit/, [0x0a, 0, 0, 0, 1, 1], {}],
    ['a length that never ends', /more than 32 bits/, [0x80, 0x80, 0x80, 0x80, 0x80, 0, ...smallest], {}],
    ['a length cut off', /a record does not fit/, [0x80, 0x80], {}],
    ['a timestamp that never ends', /more than 64 bits/, [0x20, 0, ...Array(10).fill(0x80), 0, 0, 1, 1, 0], {}],
    ['a timestamp cut off', /a record does not fit/, [0x0c, 0, 0x80, 0x80, 0x80, 0x80, 0x80], {}],
    ['an offset delta twice', /offset delta 0 after 0/, [...smallest, ...smallest], { records: [{}, {}] }],
    ['an offset delta beyond the last', /offset delta 1, beyond its last one, 0/, [0x0c, 0, 0, 2, 1, 1, 0], {}],
    ['a negative offset delta', /offset delta -1 after -1/, [0x0c, 0, 0, 1, 1, 1, 0], {}],
    ['a key length of -2', /a key does not fit/, [0x0c, 0, 0, 0, 3, 1, 0], {}],
    ['a key longer than the record', /a key does not fit/, [0x0c, 0, 0, 0, 8, 1, 0], {}],
    ['a value length of -2', /a value does not fit/, [0x0c, 0, 0, 0, 1, 3, 0], {}],
    ['a value longer than the record', /a value does not fit/, [0x0c, 0, 0, 0, 1, 4, 0], {}],
    ['bytes behind the headers', /not as long as it says/, [0x0e, 0, 0, 0, 1, 1, 0, 0], {}],
    ['a header without bytes', /declares 1 headers/, [0x0c, 0, 0, 0, 1, 1, 2], {}],
    ['a negative number of headers', /declares -1 headers/, [0x0c, 0, 0, 0, 1, 1, 1], {}],
    ['a header name longer than the record', /name of a header/, [0x10, 0, 0, 0, 1, 1, 2, 8, 1], {}],
    ['a header name that is null', /name of a header/, [0x10, 0, 0, 0, 1, 1, 2, 1, 1], {}],
    ['a header value longer than the record', /a header does not fit/, [0x10, 0, 0, 0, 1, 1, 2, 0, 8], {}],
    ['a header value length of -2', /a header does not fit/, [0x10, 0, 0, 0, 1, 1, 2, 0, 3], {}],
  ])('%s', (_, message, bytes, more) => {
    const error = failure(batchOf(bytes, more));
    const untilOffset = 8n + BigInt(more.lastOffsetDelta ?? (more.records?.length ?? 1) - 1);
    expect(error).toMatchObject({
      code: 'KAFKA_CORRUPT_BATCH',
      topic: 'orders',
      partition: 3,
      fromOffset: 7n,
      untilOffset,
    });
    expect(error.message).toMatch(message);
  });

  test('the bytes of the batch behind it are not taken for its own', () => {
    // The key of the last record would reach into the next batch.
    const broken = assembleRecordBatch({ baseOffset: 7n, records: [{}] }, Buffer.from([0x0c, 0, 0, 0, 40, 1, 0]));
    const found = chunk([broken, encodeRecordBatch({ baseOffset: 8n, records: [{ value: 'x'.repeat(99) }] })]);
    expect(failure(found).message).toContain('a key does not fit');
  });
});

describe('what cannot be unpacked', () => {
  test('a codec that nobody knows', () => {
    const bytes = encodeRecordBatch({ baseOffset: 7n, records: [{}, {}] });
    bytes.writeUInt16BE(5, recordBatchLayout.attributes);
    sealRecordBatch(bytes);
    const error = failure(chunk(bytes));
    expect(error).toMatchObject({ code: 'KAFKA_CODEC_UNSUPPORTED', partition: 3, fromOffset: 7n, untilOffset: 9n });
    expect(error.message).toContain('compressed with codec 5');
  });

  test.each(testCodecs.filter((codec) => codec !== 'none'))('a %s batch over the limit', (codec) => {
    const records = [{ value: Buffer.alloc(100_000) }];
    const bytes = encodeRecordBatch({ baseOffset: 7n, codec, records });
    expect(plainRecords(chunk(bytes, { batchBytesMax: 100_200 }))).toHaveLength(1);
    const error = failure(chunk(bytes, { batchBytesMax: 100_000 }));
    expect(error).toMatchObject({ code: 'KAFKA_BATCH_TOO_LARGE', fromOffset: 7n, untilOffset: 8n });
    expect(error.message).toMatch(/^The record batch \[7, 8\) of orders-3 cannot be read: .* more than 100000 bytes$/);
    expect(error.hint).toContain('batchBytesMax');
  });

  test.each(testCodecs.filter((codec) => codec !== 'none'))('%s bytes that are none', (codec) => {
    const error = failure(batchOf([...Buffer.from('these are not packed bytes at all')], { codec }));
    expect(error).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', fromOffset: 7n, untilOffset: 8n });
    expect(error.message).toMatch(/does not unpack as (gzip|snappy|lz4|zstd): /);
  });
});
