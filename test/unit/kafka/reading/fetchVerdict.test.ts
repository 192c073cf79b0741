import { describe, expect, test } from 'vitest';
import { brokerErrorCodes, type FetchedPartition } from '../../../../src/kafka/protocol/index.ts';
import { judgeAnswer, type ReadPosition } from '../../../../src/kafka/reading/fetchVerdict.ts';
import { encodeRecordBatch } from '../../../../src/testkit/index.ts';

const position: ReadPosition = { topic: 't', partition: 3, fetchedUntil: 7n, lastFetchedEpoch: 2, fetchBytes: 1_000 };
const batch = encodeRecordBatch({
  baseOffset: 5n,
  records: Array.from({ length: 10 }, () => ({ value: 'x'.repeat(50) })),
});

function answer(facts: Partial<FetchedPartition>): FetchedPartition {
  return {
    topicId: '',
    partition: 3,
    errorCode: 0,
    highWatermark: 100n,
    lastStableOffset: 100n,
    logStartOffset: 0n,
    abortedTransactions: [],
    bytes: Buffer.alloc(0),
    diverging: undefined,
    ...facts,
  };
}

function judge(facts: Partial<FetchedPartition>, hasRoom = true) {
  return judgeAnswer(position, answer(facts), { batchBytesMax: 1_000_000, hasRoom });
}

describe('the verdict on an answer', () => {
  test('is records that begin at the position', () => {
    expect(judge({ bytes: batch })).toMatchObject({ kind: 'records', chunk: { fromOffset: 7n, nextOffset: 15n } });
  });

  test('is nothing when there are no bytes', () => {
    expect(judge({})).toEqual({ kind: 'nothing' });
  });

  test('is to ask for as much as a batch needs that does not fit', () => {
    const large = Buffer.from(batch);
    large.writeInt32BE(70_000, 8);
    expect(judge({ bytes: large })).toEqual({ kind: 'tooSmall', bytes: 70_012 });
    expect(judge({ bytes: batch.subarray(0, 9) })).toEqual({ kind: 'tooSmall', bytes: 2_000 });
  });

  test('is nothing for a batch that others left no room for', () => {
    expect(judge({ bytes: batch.subarray(0, 300) }, false)).toEqual({ kind: 'nothing' });
  });

  test('is a doubtful batch when the broker cuts one although there was room', () => {
    expect(judge({ bytes: batch.subarray(0, 300) })).toMatchObject({
      kind: 'doubtful',
      error: { code: 'KAFKA_CORRUPT_BATCH', topic: 't', partition: 3, fromOffset: 7n },
    });
  });

  test('never asks for more than any batch can have', () => {
    const absurd = Buffer.from(batch);
    absurd.writeInt32BE(0x7fffffff, 8);
    expect(judge({ bytes: absurd }).kind).toBe('doubtful');
  });

  test('is a doubtful batch when a checksum is wrong', () => {
    const damaged = Buffer.from(batch);
    damaged[100] = (damaged[100] ?? 0) ^ 4;
    expect(judge({ bytes: damaged })).toMatchObject({ kind: 'doubtful', error: { code: 'KAFKA_CORRUPT_BATCH' } });
  });

  test('is a truncated log when the epochs diverge, whatever else the answer says', () => {
    const verdict = judge({ diverging: { leaderEpoch: 1, endOffset: 4n }, bytes: batch });
    expect(verdict).toMatchObject({
      kind: 'final',
      error: { code: 'KAFKA_LOG_TRUNCATED', offset: 7n, untilOffset: 4n },
    });
  });

  test.each([
    [1, 'outOfRange', 'KAFKA_REQUEST_FAILED', 'OFFSET_OUT_OF_RANGE'],
    [2, 'doubtful', 'KAFKA_CORRUPT_BATCH', undefined],
    [3, 'retry', 'KAFKA_TOPIC_MISSING', 'UNKNOWN_TOPIC_OR_PARTITION'],
    [5, 'retry', 'KAFKA_REQUEST_FAILED', 'LEADER_NOT_AVAILABLE'],
    [6, 'retry', 'KAFKA_REQUEST_FAILED', 'NOT_LEADER_OR_FOLLOWER'],
    [29, 'final', 'KAFKA_AUTHORIZATION_FAILED', 'TOPIC_AUTHORIZATION_FAILED'],
    [56, 'retry', 'KAFKA_REQUEST_FAILED', 'KAFKA_STORAGE_ERROR'],
    [74, 'retry', 'KAFKA_REQUEST_FAILED', 'FENCED_LEADER_EPOCH'],
    [75, 'retry', 'KAFKA_REQUEST_FAILED', 'UNKNOWN_LEADER_EPOCH'],
    [76, 'final', 'KAFKA_REQUEST_FAILED', 'UNSUPPORTED_COMPRESSION_TYPE'],
    [100, 'retry', 'KAFKA_TOPIC_MISSING', 'UNKNOWN_TOPIC_ID'],
    [103, 'retry', 'KAFKA_REQUEST_FAILED', 'INCONSISTENT_TOPIC_ID'],
    [brokerErrorCodes.UNKNOWN_SERVER_ERROR, 'retry', 'KAFKA_REQUEST_FAILED', 'UNKNOWN_SERVER_ERROR'],
  ])('of error %i is %s', (errorCode, kind, code, foreignCode) => {
    expect(judge({ errorCode, bytes: batch })).toMatchObject({ kind, error: { code, topic: 't', partition: 3 } });
    if (foreignCode !== undefined) expect(judge({ errorCode })).toMatchObject({ error: { foreignCode } });
  });

  test('copies a small share of a large answer, so that it does not keep all of it in memory', () => {
    const large = Buffer.alloc(1_000_000);
    batch.copy(large, 500);
    const verdict = judge({ bytes: large.subarray(500, 500 + batch.length) });
    if (verdict.kind !== 'records') throw new Error(verdict.kind);
    large.fill(0);
    const cursor = verdict.chunk.cursor();
    expect(cursor.next()).toBe(true);
    expect(cursor.buffer.buffer.byteLength).toBeLessThan(100_000);
  });
});
