import type { RawRecordBatch, RecordChunk, RecordCursor } from '../../model/index.ts';
import type { BatchSpan } from './batchHeader.ts';
import { BatchCursor } from './cursor.ts';
import type { FetchedRecords } from './fetchedRecords.ts';

/** Verified batches of one response, in the order of the log; slices share the bytes. */
export class FetchedChunk implements RecordChunk {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: bigint;
  readonly nextOffset: bigint;
  readonly byteLength: number;
  readonly recordCountMax: number;
  readonly leaderEpoch: number;
  private readonly fetched: FetchedRecords;
  /** Those that overlap the bounds. */
  private readonly spans: readonly BatchSpan[];
  private isReleased = false;

  constructor(fetched: FetchedRecords, spans: readonly BatchSpan[], fromOffset: bigint, nextOffset: bigint) {
    this.topic = fetched.topic;
    this.partition = fetched.partition;
    this.fromOffset = fromOffset;
    this.nextOffset = nextOffset;
    this.fetched = fetched;
    this.spans = spans;
    fetched.lease?.hold();
    let byteLength = 0;
    let recordCountMax = 0;
    for (const span of spans) {
      byteLength += span.end - span.start;
      if (span.isReadable) recordCountMax += Math.min(span.recordCount, offsetsWithin(span, fromOffset, nextOffset));
    }
    this.byteLength = byteLength;
    this.recordCountMax = recordCountMax;
    this.leaderEpoch = spans.at(-1)?.leaderEpoch ?? -1;
  }

  cursor(): RecordCursor {
    const readable = this.spans.filter((span) => span.isReadable);
    return new BatchCursor(this.fetched, readable, this.fromOffset, this.nextOffset);
  }

  slice(fromOffset: bigint, untilOffset: bigint): RecordChunk {
    const from = clamp(fromOffset, this.fromOffset, this.nextOffset);
    const until = clamp(untilOffset, from, this.nextOffset);
    // An empty slice has no batches, wherever it lies.
    const first = from === until ? 0 : this.indexOf((span) => span.untilOffset > from);
    const end = from === until ? 0 : this.indexOf((span) => span.baseOffset >= until);
    return new FetchedChunk(this.fetched, this.spans.slice(first, end), from, until);
  }

  get rawBytes(): number {
    let bytes = 0;
    for (const { isReadable, start, end } of this.spans) if (isReadable) bytes += end - start;
    return bytes;
  }

  copyRawBatches(target: Buffer, at: number): void {
    let position = at;
    for (const { isReadable, start, end } of this.spans) {
      if (isReadable) position += this.fetched.bytes.copy(target, position, start, end);
    }
  }

  *rawBatches(): Iterable<RawRecordBatch> {
    this.fetched.lease?.pin();
    for (const span of this.spans) {
      if (!span.isReadable) continue;
      yield {
        baseOffset: span.baseOffset,
        lastOffset: span.baseOffset + BigInt(span.lastOffsetDelta),
        leaderEpoch: span.leaderEpoch,
        bytes: this.fetched.bytes.subarray(span.start, span.end),
      };
    }
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.fetched.lease?.release();
  }

  /** Index of the first batch for which the test holds; it holds for all behind it too. */
  private indexOf(test: (span: BatchSpan) => boolean): number {
    let low = 0;
    let high = this.spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (test(this.spans[middle] as BatchSpan)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function offsetsWithin(span: BatchSpan, fromOffset: bigint, untilOffset: bigint): number {
  const spanUntil = span.untilOffset;
  const from = span.baseOffset > fromOffset ? span.baseOffset : fromOffset;
  const until = spanUntil < untilOffset ? spanUntil : untilOffset;
  return Number(until - from);
}

function clamp(offset: bigint, low: bigint, high: bigint): bigint {
  return offset < low ? low : offset > high ? high : offset;
}
