import { OffsetRange, type RecordChunk, type TopicPartition } from '../../model/index.ts';
import { type DecodedRecord, encodeRecords } from './encodeRecords.ts';
import { storedChunk } from './storedChunk.ts';

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
  return storedChunk(new OffsetRange(of.topic, of.partition, fromOffset, nextOffset), encodeRecords(records));
}
