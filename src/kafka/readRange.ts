import type { OffsetRange, RecordChunk } from '../model/index.ts';
import { type Clock, systemClock } from '../platform/index.ts';
import type { Fetcher } from './driver.ts';

export interface ReadRangeOptions {
  readonly topicId: string;
  readonly range: OffsetRange;
  readonly retryMsMax?: number;
  readonly clock?: Clock;
}

/**
 * The chunks of exactly `[fromOffset, untilOffset)`, trimmed to the range. It ends when everything below `untilOffset`
 * has been read, though the last offsets may hold no record (compaction, transaction markers, aborted records).
 * Waits for offsets that are not readable yet. Throws what ends the stream, and what it has retried for `retryMsMax`
 * (default: for ever).
 */
export async function* readRange(
  fetcher: Fetcher,
  { topicId, range, retryMsMax = Number.POSITIVE_INFINITY, clock = systemClock }: ReadRangeOptions,
): AsyncGenerator<RecordChunk> {
  if (range.isEmpty) return;
  const { topic, partition, fromOffset, untilOffset } = range;
  let onChange = () => {};
  const stream = fetcher.follow({ topic, partition, topicId, fromOffset, onChange: () => onChange() });
  try {
    for (let position = fromOffset; position < untilOffset; ) {
      const chunk = stream.take();
      if (chunk !== undefined) {
        position = chunk.nextOffset;
        yield chunk.slice(fromOffset, untilOffset);
        continue;
      }
      if (stream.error !== undefined) throw stream.error;
      const { retrying } = stream;
      if (retrying !== undefined && clock.monotonic() - retrying.sinceMs > retryMsMax) throw retrying.error;
      await new Promise<void>((resolve) => {
        onChange = resolve;
      });
    }
  } finally {
    stream.close();
  }
}
