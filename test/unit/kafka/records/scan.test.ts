import { describe, expect, test } from 'vitest';
import { isTidemarkError, type TidemarkError } from '../../../../src/errors.ts';
import { chunkOf } from '../../../../src/kafka/records/index.ts';
import { recordBatchLayout as at, encodeRecordBatch, sealRecordBatch } from '../../../../src/testkit/index.ts';
import { chunk, fetched, offsets, values } from '../../../fixtures/fetched.ts';

/** A batch of two records: the value names the base offset. */
function batch(baseOffset: bigint, leaderEpoch = 0): Buffer {
  const records = [{ value: `${baseOffset}` }, { value: `${baseOffset}+1` }];
  return encodeRecordBatch({ baseOffset, records, leaderEpoch });
}

function changed(bytes: Buffer, change: (copy: Buffer) => void, seal = false): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  if (seal) sealRecordBatch(copy);
  return copy;
}

function refusal(bytes: Buffer, fromOffset = 0n): TidemarkError {
  try {
    chunkOf(fetched(bytes, { fromOffset }));
  } catch (error) {
    if (isTidemarkError(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('what a chunk covers', () => {
  test('all complete batches, from the offset asked for to the end of the last one', () => {
    const found = chunk([batch(0n, 2), batch(2n, 2), batch(10n, 3)]);
    expect(values(found)).toEqual(['0', '0+1', '2', '2+1', '10', '10+1']);
    expect(offsets(found)).toEqual([0n, 1n, 2n, 3n, 10n, 11n]);
    expect(found).toMatchObject({
      topic: 'orders',
      partition: 3,
      fromOffset: 0n,
      nextOffset: 12n,
      recordCountMax: 6,
      leaderEpoch: 3,
      byteLength: batch(0n).length * 2 + batch(10n).length,
    });
  });

  test('the first batch may begin below the offset asked for; its first records are left out', () => {
    const found = chunk([batch(5n), batch(7n)], { fromOffset: 6n });
    expect(offsets(found)).toEqual([6n, 7n, 8n]);
    expect(found).toMatchObject({ fromOffset: 6n, nextOffset: 9n, recordCountMax: 3 });
  });

  test('the next offset is that of the header where the last records are gone', () => {
    const found = chunk(encodeRecordBatch({ baseOffset: 100n, records: [{ value: 'a' }], lastOffsetDelta: 99 }));
    expect(offsets(found)).toEqual([100n]);
    expect(found.nextOffset).toBe(200n);
  });

  test.each([
    ['nothing', 0],
    ['less than a header', 16],
    ['a header', 61],
    ['all but a byte', batch(0n).length - 1],
  ])('a batch cut off after %s is not there yet', (_, length) => {
    const cut = batch(2n).subarray(0, length);
    expect(chunkOf(fetched(cut))).toBeUndefined();
    const found = chunk([batch(0n), cut]);
    expect(found).toMatchObject({ nextOffset: 2n, byteLength: batch(0n).length });
    expect(values(found)).toEqual(['0', '0+1']);
  });
});

describe('a corrupt batch', () => {
  test('every byte that the checksum covers, and the checksum, is watched', () => {
    const good = batch(7n);
    for (let position = at.checksum; position < good.length; position++) {
      const bad = changed(good, (copy) => copy.writeUInt8((copy[position] as number) ^ 0x10, position));
      expect(refusal(bad), `byte ${position}`).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', fromOffset: 7n });
    }
  });

  test('names place and reason', () => {
    const bad = changed(batch(7n), (copy) => copy.fill(0xff, copy.length - 1));
    const error = refusal(bad);
    expect(error).toMatchObject({
      code: 'KAFKA_CORRUPT_BATCH',
      retriable: false,
      topic: 'orders',
      partition: 3,
      fromOffset: 7n,
      untilOffset: 9n,
    });
    expect(error.message).toMatch(
      /^The record batch \[7, 9\) of orders-3 is corrupt: its checksum is 0x[0-9a-f]{8}, its bytes give 0x[0-9a-f]{8}$/,
    );
    expect(error.hint).toBeTruthy();
  });

  test('ends the chunk before it; reading on from there meets it as the first', () => {
    const bad = changed(batch(4n), (copy) => copy.fill(0xff, copy.length - 1));
    const found = chunk([batch(0n), batch(2n), bad, batch(6n)]);
    expect(values(found)).toEqual(['0', '0+1', '2', '2+1']);
    expect(found.nextOffset).toBe(4n);
    expect(refusal(Buffer.concat([bad, batch(6n)]), 4n)).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', fromOffset: 4n });
  });

  test.each([0, 1])('message format v%i is named as too old', (magic) => {
    const error = refusal(changed(batch(7n), (copy) => copy.writeUInt8(magic, at.magic)));
    expect(error).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', topic: 'orders', partition: 3, fromOffset: 7n });
    expect(error.message).toContain(`message format v${magic}, which is too old`);
  });

  test('a message of format v0 shorter than a header of v2 is found as well', () => {
    const message = Buffer.alloc(26);
    message.writeInt32BE(14, at.batchLength);
    expect(refusal(message).message).toContain('too old');
  });

  test.each<[string, RegExp, boolean, (copy: Buffer) => void]>([
    ['an unknown format', /message format v3 is unknown/, false, (copy) => copy.writeUInt8(3, at.magic)],
    ['a negative length', /declares a length of -1 bytes/, false, (copy) => copy.writeInt32BE(-1, at.batchLength)],
    [
      'a length below the header',
      /declares a length of 48 bytes/,
      false,
      (copy) => copy.writeInt32BE(48, at.batchLength),
    ],
    ['a negative base offset', /base offset is negative/, true, (copy) => copy.writeBigInt64BE(-1n, at.baseOffset)],
    ['a leader epoch below -1', /leader epoch is -2/, true, (copy) => copy.writeInt32BE(-2, at.leaderEpoch)],
    ['a negative last offset', /last offset delta is -1/, true, (copy) => copy.writeInt32BE(-1, at.lastOffsetDelta)],
    ['more records than offsets', /declares 3 records in 2/, true, (copy) => copy.writeInt32BE(3, at.recordCount)],
    ['a negative count', /declares -1 records/, true, (copy) => copy.writeInt32BE(-1, at.recordCount)],
  ])('%s', (_, message, seal, change) => {
    const error = refusal(changed(batch(7n), change, seal));
    expect(error.code).toBe('KAFKA_CORRUPT_BATCH');
    expect(error.message).toMatch(message);
  });

  test('a first batch that ends before the offset asked for', () => {
    const error = refusal(batch(7n), 9n);
    expect(error).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', fromOffset: 7n, untilOffset: 9n });
    expect(error.message).toContain('ends before offset 9');
  });

  test('offsets that go backward: neither of the two batches is believed', () => {
    const error = refusal(Buffer.concat([batch(7n), batch(8n)]));
    expect(error.message).toContain('begins before the end of the batch in front, 9');
    const found = chunk([batch(0n), batch(1_000n), batch(4n), batch(6n)]);
    expect(values(found)).toEqual(['0', '0+1']);
    expect(found.nextOffset).toBe(2n);
  });
});
