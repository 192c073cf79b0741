import type { RecordChunk } from '../../model/index.ts';

/**
 * Timestamp of the first record of a chunk at or after `position`, in ms since 1970; undefined where there is no such record, it has no
 * timestamp, or its batch is damaged, which whoever reads it finds out. The chunk stays as it is.
 */
export function firstTimestampMs(chunk: RecordChunk, position: bigint): number | undefined {
  const rest = chunk.slice(position, chunk.nextOffset);
  try {
    const cursor = rest.cursor();
    return cursor.next() && cursor.timestamp >= 0 ? cursor.timestamp : undefined;
  } catch {
    return undefined;
  } finally {
    rest.release();
  }
}
