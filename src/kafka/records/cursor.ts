import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import type { KafkaRecord, RecordCursor, RecordHeaders } from '../../model/index.ts';
import { unpack } from '../codecs/index.ts';
import {
  type BatchSpan,
  baseTimestampOf,
  codecIdOf,
  isAppendTime,
  maxTimestampOf,
  recordsStartOf,
} from './batchHeader.ts';
import { batchError, corruptBatch, type FetchedRecords } from './fetchedRecords.ts';
import { readHeaders } from './headers.ts';
import { FetchedRecord } from './record.ts';
import { RecordReader } from './recordReader.ts';

/**
 * The one cursor over record batches of format v2, the hot path of every reader. A batch is unpacked when the walk
 * reaches it, so that a cursor holds at most one unpacked batch. After an error `next` throws the same one again.
 */
export class BatchCursor extends RecordReader implements RecordCursor {
  readonly topic: string;
  readonly partition: number;
  baseOffset = 0n;
  private readonly fetched: FetchedRecords;
  private readonly spans: readonly BatchSpan[];
  private readonly fromOffset: bigint;
  private readonly untilOffset: bigint;
  private spanIndex = -1;
  private failure: TidemarkError | undefined;
  /** Offset deltas outside `[deltaMin, deltaUntil)` are outside the chunk. */
  private deltaMin = 0;
  private deltaUntil = 0;

  /** `spans` are batches to be read, in order, all overlapping `[fromOffset, untilOffset)`. */
  constructor(fetched: FetchedRecords, spans: readonly BatchSpan[], fromOffset: bigint, untilOffset: bigint) {
    super(fetched.bytes);
    this.topic = fetched.topic;
    this.partition = fetched.partition;
    this.fetched = fetched;
    this.spans = spans;
    this.fromOffset = fromOffset;
    this.untilOffset = untilOffset;
  }

  get offset(): bigint {
    return this.baseOffset + BigInt(this.offsetDelta);
  }

  next(): boolean {
    for (;;) {
      if (this.remaining === 0) {
        if (!this.enterBatch()) return false;
        continue;
      }
      this.readRecord();
      if (this.offsetDelta < this.deltaMin) continue;
      if (this.offsetDelta < this.deltaUntil) return true;
      this.endWalk();
      return false;
    }
  }

  headers(): RecordHeaders {
    this.fetched.lease?.pin();
    return readHeaders(this.buffer, this.headersStart, this.headerCount);
  }

  record(): KafkaRecord {
    this.fetched.lease?.pin();
    return new FetchedRecord(this, this.headersStart);
  }

  /** Goes on to the next batch; false when there is none. */
  private enterBatch(): boolean {
    if (this.failure !== undefined) throw this.failure;
    if (this.position !== this.recordsEnd) throw this.corrupt('bytes follow its last record');
    this.spanIndex += 1;
    const span = this.spans[this.spanIndex];
    if (span === undefined) {
      this.spanIndex = this.spans.length;
      return false;
    }
    const { baseOffset, lastOffsetDelta } = span;
    this.baseOffset = baseOffset;
    this.lastOffsetDelta = lastOffsetDelta;
    this.offsetDelta = -1;
    this.deltaMin = this.fromOffset > baseOffset ? Number(this.fromOffset - baseOffset) : 0;
    this.deltaUntil = span.untilOffset > this.untilOffset ? Number(this.untilOffset - baseOffset) : lastOffsetDelta + 1;
    this.enterTime(span);
    this.enterBytes(span);
    this.remaining = span.recordCount;
    return true;
  }

  private enterTime(span: BatchSpan): void {
    const { bytes } = this.fetched;
    if (isAppendTime(span)) {
      this.timestampType = 'append';
      this.isTimePlain = false;
      this.timestamp = Number(maxTimestampOf(bytes, span));
      return;
    }
    this.timestampType = 'create';
    this.exactBase = baseTimestampOf(bytes, span);
    this.baseTimestamp = Number(this.exactBase);
    this.isTimePlain = Number.isSafeInteger(this.baseTimestamp);
  }

  private enterBytes(span: BatchSpan): void {
    const { bytes, batchBytesMax } = this.fetched;
    const codecId = codecIdOf(span);
    const start = recordsStartOf(span);
    if (codecId === 0) {
      this.buffer = bytes;
      this.position = start;
      this.recordsEnd = span.end;
      return;
    }
    // The former batch's unpacked bytes are let go before the next ones are made.
    this.buffer = bytes;
    try {
      this.buffer = unpack(codecId, bytes.subarray(start, span.end), batchBytesMax);
    } catch (error) {
      throw isTidemarkError(error) ? this.fail(unpackError(this.fetched, span, error)) : error;
    }
    this.position = 0;
    this.recordsEnd = this.buffer.length;
  }

  /** The bounds of the chunk are reached in mid-batch. */
  private endWalk(): void {
    this.spanIndex = this.spans.length;
    this.remaining = 0;
    this.position = this.recordsEnd;
  }

  protected override corrupt(reason: string): TidemarkError {
    const { baseOffset, lastOffsetDelta } = this.span;
    return this.fail(corruptBatch(this, baseOffset, lastOffsetDelta, reason));
  }

  /** The walk is over: `next` throws the same error from now on. */
  private fail(error: TidemarkError): TidemarkError {
    this.failure = error;
    this.remaining = 0;
    return error;
  }

  private get span(): BatchSpan {
    return this.spans[this.spanIndex] as BatchSpan;
  }
}

/** What kept the batch from being unpacked, with the place added. */
function unpackError(fetched: FetchedRecords, span: BatchSpan, cause: TidemarkError): TidemarkError {
  const code =
    cause.code === 'KAFKA_BATCH_TOO_LARGE' || cause.code === 'KAFKA_CODEC_UNSUPPORTED'
      ? cause.code
      : 'KAFKA_CORRUPT_BATCH';
  const { baseOffset, lastOffsetDelta } = span;
  if (code === 'KAFKA_CORRUPT_BATCH') return corruptBatch(fetched, baseOffset, lastOffsetDelta, cause.message, cause);
  const hint = cause.hint === undefined ? {} : { hint: cause.hint };
  return batchError(code, fetched, baseOffset, lastOffsetDelta, `cannot be read: ${cause.message}`, { ...hint, cause });
}
