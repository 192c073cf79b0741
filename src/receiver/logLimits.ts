/** More than a segment needs for itself, and an entry for what stands beside the records of a block. */
const overheadBytes = 8192;
/** No log takes longer entries. */
const entryBytesLimit = 256 * 1_048_576;

/** The longest entry of a log whose segments have this size: record batches of Kafka are stored as they come, however long. */
export function entryBytesMaxOf(segmentBytesMax: number): number {
  return Math.min(entryBytesLimit, segmentBytesMax - overheadBytes);
}

/** The most records, in bytes, that one block of such a log holds. */
export function blockBytesLimitOf(segmentBytesMax: number): number {
  return entryBytesMaxOf(segmentBytesMax) - overheadBytes;
}
