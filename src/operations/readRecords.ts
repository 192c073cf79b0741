import { type KafkaDriver, readRange } from '../kafka/index.ts';
import type { OffsetRange, RecordCursor } from '../model/index.ts';

/** Bytes of one request: an operator looks at a few records, or counts many. */
const fetchBytesMax = 1_048_576;
/** A pipeline waits for a broker that is away, a person does not. */
const retryMsMax = 15_000;

/**
 * Walks over the records of a range; `visit` answers whether to go on. Rejects with what ends a stream, a damaged batch among
 * it, and with what was retried for 15 s. Waits for offsets that cannot be read yet: the range must end at the last stable offset or before.
 */
export async function visitRecords(
  driver: KafkaDriver,
  topicId: string,
  range: OffsetRange,
  visit: (cursor: RecordCursor) => boolean,
): Promise<void> {
  const fetcher = driver.openFetcher({ fetchBytesMax });
  try {
    for await (const chunk of readRange(fetcher, { topicId, range, retryMsMax })) {
      const cursor = chunk.cursor();
      while (cursor.next()) if (!visit(cursor)) return;
      chunk.release();
    }
  } finally {
    await fetcher.close();
  }
}
