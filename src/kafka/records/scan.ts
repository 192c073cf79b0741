import type { RecordChunk } from '../../model/index.ts';
import { AbortFilter } from './abortFilter.ts';
import { type BatchSpan, readBatchSpan } from './batchHeader.ts';
import { FetchedChunk } from './chunk.ts';
import { corruptBatch, type FetchedRecords } from './fetchedRecords.ts';

/**
 * Scans the headers of what was fetched and checks magic, lengths, order of offsets and checksums; unpacks nothing.
 *
 * Returns the chunk of all complete batches, `nextOffset` being the last one's base offset + last offset delta + 1;
 * undefined when no complete batch is in the bytes. A corrupt batch ends the chunk before it: what comes first can be
 * committed, and the next fetch starts at the corrupt one and throws KAFKA_CORRUPT_BATCH here.
 */
export function chunkOf(fetched: FetchedRecords): RecordChunk | undefined {
  const spans: BatchSpan[] = [];
  try {
    scan(fetched, spans);
  } catch (error) {
    // Not swallowed: the caller goes on at the end of this chunk and meets the same batch as its first.
    if (spans.length === 0) throw error;
  }
  const last = spans.at(-1);
  return last && new FetchedChunk(fetched, spans, fetched.fromOffset, last.untilOffset);
}

function scan(fetched: FetchedRecords, spans: BatchSpan[]): void {
  const filter = new AbortFilter(fetched);
  let expected = fetched.fromOffset;
  for (let start = 0; ; ) {
    const span = readBatchSpan(fetched, start);
    if (span === undefined) return;
    checkOrder(fetched, span, expected, spans);
    span.isReadable = filter.isReadable(span);
    spans.push(span);
    expected = span.untilOffset;
    start = span.end;
  }
}

/**
 * Base offsets are outside the checksum. A first batch that ends before the wanted offset, or one that begins before
 * its predecessor ended, shows that one was changed; in the second case it may be the predecessor's, so that one is not
 * believed either.
 */
function checkOrder(fetched: FetchedRecords, span: BatchSpan, expected: bigint, spans: BatchSpan[]): void {
  const { baseOffset, lastOffsetDelta } = span;
  if (spans.length === 0) {
    if (span.untilOffset > expected) return;
    throw corruptBatch(fetched, baseOffset, lastOffsetDelta, `it ends before offset ${expected}, which was asked for`);
  }
  if (baseOffset >= expected) return;
  spans.pop();
  throw corruptBatch(
    fetched,
    baseOffset,
    lastOffsetDelta,
    `it begins before the end of the batch in front, ${expected}`,
  );
}
