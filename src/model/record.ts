import type { TopicPartition } from './topicPartition.ts';

/** Headers in the order they were written, names may repeat; a header's value may be null. */
export type RecordHeaders = readonly (readonly [name: string, value: Buffer | null])[];

/** Who set the timestamp: the producer (`create`) or the broker on append (`append`). */
export type TimestampType = 'create' | 'append';

/**
 * One record as user code sees it. Key, value and headers are views into the fetched bytes: keeping one beyond the
 * batch keeps the whole response in memory, so copy what must outlive it (`Buffer.from(record.value)`).
 */
export interface KafkaRecord extends TopicPartition {
  readonly offset: bigint;
  /** Milliseconds since 1970, or -1 where the producer gave none. */
  readonly timestamp: number;
  readonly timestampType: TimestampType;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
  /** The value as UTF-8; null for a tombstone. Throws RECORD_UNPARSABLE when it is not UTF-8. */
  text(): string | null;
  /** The value parsed as JSON; null for a tombstone. Throws RECORD_UNPARSABLE when it is not JSON. */
  json(): unknown;
}

/**
 * A walk over records without making objects: after `next()` returned true the fields describe one record, by
 * positions in `buffer`. The same object is reused for every record, `buffer` changes between record batches.
 */
export interface RecordCursor extends TopicPartition {
  /** Moves to the next record; false at the end. Throws KAFKA_CORRUPT_BATCH when the bytes do not decode. */
  next(): boolean;
  /** The bytes that the positions below index; to be copied, not kept: they change once the chunk is released. */
  readonly buffer: Buffer;
  /** The record's offset is `baseOffset + BigInt(offsetDelta)`; `offset` computes it (allocates a bigint). */
  readonly baseOffset: bigint;
  readonly offsetDelta: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly timestampType: TimestampType;
  /** -1 = null key. The key is `buffer.subarray(keyStart, keyEnd)`. */
  readonly keyStart: number;
  readonly keyEnd: number;
  /** -1 = null value (tombstone). */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly headerCount: number;
  /** Parses the headers of the present record. */
  headers(): RecordHeaders;
  /** The present record as an object that stays valid after the cursor has moved on. */
  record(): KafkaRecord;
}

/**
 * A run of one partition's log as it was read: covers `[fromOffset, nextOffset)` without a gap, though it may hold
 * fewer records than offsets, or none (compaction, markers, aborted transactions).
 */
export interface RecordChunk extends TopicPartition {
  readonly fromOffset: bigint;
  readonly nextOffset: bigint;
  /** Bytes this chunk keeps in memory (compressed size). */
  readonly byteLength: number;
  /** Records in it, an upper bound where the chunk was trimmed. */
  readonly recordCountMax: number;
  /** Leader epoch of the last batch in the chunk, -1 where it is unknown. */
  readonly leaderEpoch: number;
  /** A fresh walk over the records within the bounds. */
  cursor(): RecordCursor;
  /** A view of part of the chunk; bounds outside it are clamped. Copies nothing. */
  slice(fromOffset: bigint, untilOffset: bigint): RecordChunk;
  /**
   * Says that nobody looks at this chunk and its cursors any more: once all slices of it are released too, its memory may be
   * read into again. Records, headers and raw batches that were made of it stay valid, their memory is left alone.
   * It need not be called: what is not released is freed like anything else. Again is a no-op.
   */
  release(): void;
  /** Bytes of what `copyRawBatches` copies. */
  readonly rawBytes: number;
  /** Copies the bytes that `rawBatches` gives, one batch after the other, to `at`, and leaves the chunk's memory free to be used again. */
  copyRawBatches(target: Buffer, at: number): void;
  /** The verified record batches as the broker sent them, aborted ones and control batches left out. May reach beyond the bounds. */
  rawBatches(): Iterable<RawRecordBatch>;
}

/** One record batch of Kafka's format v2, checksum verified, still compressed. */
export interface RawRecordBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly leaderEpoch: number;
  readonly bytes: Buffer;
}
