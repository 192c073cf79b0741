import type { RecordChunk, TopicPartition } from '../../model/index.ts';
import { type BatchSpan, readBatchSpan } from './batchHeader.ts';
import { FetchedChunk } from './chunk.ts';
import { type DecodedRecord, encodeRecords } from './encodeRecords.ts';

/**
 * A chunk of records that a client library has decoded already: they are written into record batches again, so that there is
 * one cursor for all drivers. Covers `[fromOffset, nextOffset)`, which the caller answers for: records alone do not show
 * where markers, compaction and aborted transactions left holes.
 */
export function decodedChunk(
  of: TopicPartition,
  fromOffset: bigint,
  nextOffset: bigint,
  records: readonly DecodedRecord[],
): RecordChunk {
  const bytes = encodeRecords(records);
  const fetched = {
    topic: of.topic,
    partition: of.partition,
    bytes,
    fromOffset,
    abortedTransactions: [],
    // Nothing in it is compressed.
    batchBytesMax: bytes.length,
  };
  const spans: BatchSpan[] = [];
  for (let at = 0; at < bytes.length; ) {
    const span = readBatchSpan(fetched, at) as BatchSpan;
    spans.push(span);
    at = span.end;
  }
  return new FetchedChunk(fetched, spans, fromOffset, nextOffset);
}
