import { describe, expect, test } from 'vitest';
import { ByteLease } from '../../../../src/kafka/records/index.ts';
import type { RecordChunk } from '../../../../src/model/index.ts';
import { encodeRecordBatch } from '../../../../src/testkit/index.ts';
import { chunk, plainRecords } from '../../../fixtures/fetched.ts';

/** A chunk of two records, and how often its memory was given back. Whoever fetched has let go of it. */
function leased() {
  const given = { times: 0 };
  const lease = new ByteLease(() => {
    given.times += 1;
  });
  const records = [{ value: 'one' }, { value: 'two', headers: [['h', Buffer.from('x')] as const] }];
  const whole = chunk(encodeRecordBatch({ baseOffset: 0n, records }), { lease });
  lease.release();
  return { given, whole };
}

describe('the memory of a chunk', () => {
  test('is given back when the chunk and all of its slices are released, once', () => {
    const { given, whole } = leased();
    const slices = [whole.slice(0n, 1n), whole.slice(1n, 2n)];
    whole.release();
    slices[0]?.release();
    slices[0]?.release();
    expect(given.times).toBe(0);
    slices[1]?.release();
    whole.release();
    expect(given.times).toBe(1);
  });

  test('is given back after a walk that copied what it wanted', () => {
    const { given, whole } = leased();
    const cursor = whole.cursor();
    while (cursor.next()) Buffer.from(cursor.buffer.subarray(cursor.valueStart, cursor.valueEnd));
    whole.release();
    expect(given.times).toBe(1);
  });

  test.each<[string, (of: RecordChunk) => unknown]>([
    ['records', firstRecord],
    ['headers', plainRecords],
    ['raw batches', (of) => [...of.rawBatches()]],
  ])('is never given back when %s were made of it', (_, make) => {
    const { given, whole } = leased();
    const slice = whole.slice(0n, 2n);
    make(slice);
    slice.release();
    whole.release();
    expect(given.times).toBe(0);
  });

  test('is freed like any other when nobody releases it', () => {
    expect(leased().given.times).toBe(0);
  });
});

function firstRecord(of: RecordChunk) {
  const cursor = of.cursor();
  cursor.next();
  return cursor.record();
}
