import type { OffsetRange, RecordChunk } from '../../model/index.ts';
import { type BatchSpan, readBatchSpan } from './batchHeader.ts';
import type { ByteLease } from './byteLease.ts';
import { FetchedChunk } from './chunk.ts';
import { corruptBatch, type FetchedRecords } from './fetchedRecords.ts';

/** Bytes a stored record batch may unpack to: what the drivers allow by default. */
const batchBytesMax = 128 * 1_048_576;

/** What is known of stored bytes beyond themselves. */
export interface StoredBytes {
  /** Their checksums were held against them in this process, and they lie where they lay since. Default false. */
  readonly isVerified?: boolean;
  /** Of their memory, where that is used again. */
  readonly lease?: ByteLease | undefined;
}

/**
 * A chunk of record batches that were kept (`copyRawBatches`, `encodeRecords`): what was aborted is not among them, so no
 * abort state is needed. Covers the whole range, which the caller answers for: batches may begin before it and end behind
 * it, and holes were left where there was nothing readable. Throws KAFKA_CORRUPT_BATCH.
 */
export function storedChunk(
  range: OffsetRange,
  bytes: Buffer,
  { isVerified = false, lease }: StoredBytes = {},
): RecordChunk {
  const { topic, partition, fromOffset, untilOffset } = range;
  const fetched: FetchedRecords = {
    topic,
    partition,
    bytes,
    fromOffset,
    abortedTransactions: [],
    batchBytesMax,
    lease,
  };
  const spans: BatchSpan[] = [];
  for (let at = 0; at < bytes.length; ) {
    const span = readBatchSpan(fetched, at, isVerified);
    if (span === undefined) throw corruptBatch(fetched, fromOffset, undefined, 'it is cut short where it was stored');
    spans.push(span);
    at = span.end;
  }
  return new FetchedChunk(fetched, spans, fromOffset, untilOffset);
}
