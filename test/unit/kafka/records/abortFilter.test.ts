import { describe, expect, test } from 'vitest';
import {
  encodeRecordBatch,
  encodeTransactionMarker,
  type RecordSpec,
  testCodecs,
} from '../../../../src/testkit/index.ts';
import { chunk, values } from '../../../fixtures/fetched.ts';

function sent(baseOffset: bigint, producerId: bigint, ...texts: string[]): Buffer {
  const records: RecordSpec[] = texts.map((value) => ({ value }));
  return encodeRecordBatch({ baseOffset, producerId, records, isTransactional: true });
}

function abort(baseOffset: bigint, producerId: bigint): Buffer {
  return encodeTransactionMarker({ baseOffset, producerId, type: 'abort' });
}

function commit(baseOffset: bigint, producerId: bigint): Buffer {
  return encodeTransactionMarker({ baseOffset, producerId, type: 'commit' });
}

function aborted(...entries: [producerId: bigint, firstOffset: bigint][]) {
  return { abortedTransactions: entries.map(([producerId, firstOffset]) => ({ producerId, firstOffset })) };
}

describe('records of aborted transactions are left out', () => {
  test('and those of committed ones are not', () => {
    const bytes = [sent(0n, 1n, 'no'), abort(1n, 1n), sent(2n, 1n, 'yes'), commit(3n, 1n)];
    const found = chunk(bytes, aborted([1n, 0n]));
    expect(values(found)).toEqual(['yes']);
    expect(found).toMatchObject({ nextOffset: 4n, recordCountMax: 1 });
    expect([...found.rawBatches()].map(({ baseOffset }) => baseOffset)).toEqual([2n]);
  });

  test('the same producer aborts twice, with a commit between', () => {
    const bytes = [
      sent(0n, 1n, 'no'),
      abort(1n, 1n),
      sent(2n, 1n, 'yes'),
      commit(3n, 1n),
      sent(4n, 1n, 'no'),
      abort(5n, 1n),
      sent(6n, 1n, 'yes'),
    ];
    expect(values(chunk(bytes, aborted([1n, 4n], [1n, 0n])))).toEqual(['yes', 'yes']);
  });

  test('the same producer aborts twice, one right behind the other', () => {
    const bytes = [sent(0n, 1n, 'no'), abort(1n, 1n), sent(2n, 1n, 'no'), abort(3n, 1n), sent(4n, 1n, 'yes')];
    expect(values(chunk(bytes, aborted([1n, 0n], [1n, 2n])))).toEqual(['yes']);
  });

  test('a producer with an open transaction is read where it writes outside of it', () => {
    const plain = encodeRecordBatch({ baseOffset: 1n, producerId: 1n, records: [{ value: 'yes' }] });
    expect(values(chunk([sent(0n, 1n, 'no'), plain, abort(2n, 1n)], aborted([1n, 0n])))).toEqual(['yes']);
  });

  test('interleaved producers, one aborts, one commits, one has no transaction', () => {
    const bytes = [
      sent(0n, 1n, 'no'),
      sent(1n, 2n, 'yes 2'),
      encodeRecordBatch({ baseOffset: 2n, producerId: 3n, records: [{ value: 'yes 3' }] }),
      sent(3n, 1n, 'no'),
      commit(4n, 2n),
      abort(5n, 1n),
      sent(6n, 1n, 'yes 1'),
    ];
    expect(values(chunk(bytes, aborted([1n, 0n])))).toEqual(['yes 2', 'yes 3', 'yes 1']);
  });

  test('reading begins inside two open aborted transactions, the first record is of the second producer', () => {
    const bytes = [sent(10n, 2n, 'no'), sent(11n, 1n, 'no'), abort(12n, 1n), sent(13n, 2n, 'no'), abort(14n, 2n)];
    const found = chunk(bytes, { fromOffset: 10n, ...aborted([2n, 8n], [1n, 3n]) });
    expect(values(found)).toEqual([]);
    expect(found.nextOffset).toBe(15n);
  });

  test('a transaction longer than the response', () => {
    const found = chunk([sent(0n, 1n, 'no', 'no'), sent(2n, 1n, 'no')], aborted([1n, 0n]));
    expect(values(found)).toEqual([]);
    expect(found).toMatchObject({ fromOffset: 0n, nextOffset: 3n });
  });

  test('an aborted transaction that begins behind the first offset of a batch, but in it', () => {
    // The broker names the first offset of the transaction's first batch, which compaction may have moved forward.
    expect(values(chunk([sent(0n, 1n, 'no', 'no')], aborted([1n, 1n])))).toEqual([]);
  });

  test('one that begins behind the batch does not touch it', () => {
    const bytes = [sent(0n, 1n, 'yes'), commit(1n, 1n), sent(2n, 1n, 'no'), abort(3n, 1n)];
    expect(values(chunk(bytes, aborted([1n, 2n])))).toEqual(['yes']);
  });

  test("another producer's marker does not close it", () => {
    const bytes = [sent(0n, 1n, 'no'), sent(1n, 2n, 'no'), abort(2n, 2n), sent(3n, 1n, 'no'), abort(4n, 1n)];
    expect(values(chunk(bytes, aborted([1n, 0n], [2n, 1n])))).toEqual([]);
  });

  test('a committed record whose key looks like an abort marker is a record', () => {
    const record = { key: Buffer.alloc(4), value: 'yes' };
    const bytes = [
      encodeRecordBatch({ baseOffset: 0n, producerId: 1n, records: [record], isTransactional: true }),
      commit(1n, 1n),
    ];
    expect(values(chunk(bytes))).toEqual(['yes']);
  });

  test('an aborted record whose key looks like an abort marker closes nothing', () => {
    const record = { key: Buffer.alloc(4), value: 'no' };
    const bytes = [
      encodeRecordBatch({ baseOffset: 0n, producerId: 1n, records: [record], isTransactional: true }),
      sent(1n, 1n, 'no'),
      abort(2n, 1n),
    ];
    expect(values(chunk(bytes, aborted([1n, 0n])))).toEqual([]);
  });

  test.each(testCodecs)('a marker packed with %s is understood', (codec) => {
    const marker = encodeTransactionMarker({ baseOffset: 1n, producerId: 1n, type: 'abort', codec });
    const bytes = [sent(0n, 1n, 'no'), marker, sent(2n, 1n, 'yes')];
    expect(values(chunk(bytes, aborted([1n, 0n])))).toEqual(['yes']);
  });

  test('a control batch emptied by compaction closes nothing', () => {
    const emptied = encodeRecordBatch({
      baseOffset: 1n,
      producerId: 1n,
      records: [],
      lastOffsetDelta: 0,
      isTransactional: true,
      isControl: true,
    });
    expect(values(chunk([sent(0n, 1n, 'no'), emptied, sent(2n, 1n, 'no')], aborted([1n, 0n])))).toEqual([]);
  });

  test('a marker without a type is corrupt, where it matters', () => {
    const broken = encodeRecordBatch({
      baseOffset: 0n,
      producerId: 1n,
      records: [{ key: Buffer.alloc(3) }],
      isTransactional: true,
      isControl: true,
    });
    expect(() => chunk([broken], aborted([1n, 0n]))).toThrow(/control record has no type/);
    expect(values(chunk([broken]))).toEqual([]);
  });
});
