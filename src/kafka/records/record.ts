import { isUtf8 } from 'node:buffer';
import { inspect } from 'node:util';
import { messageOf, TidemarkError } from '../../errors.ts';
import type { KafkaRecord, RecordCursor, RecordHeaders, TimestampType } from '../../model/index.ts';
import { readHeaders } from './headers.ts';

/** One record as an object: positions are copied from the cursor, views of the bytes are made when asked for. */
export class FetchedRecord implements KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly timestamp: number;
  readonly timestampType: TimestampType;
  private readonly bytes: Buffer;
  private readonly baseOffset: bigint;
  private readonly offsetDelta: number;
  private readonly keyStart: number;
  private readonly keyEnd: number;
  private readonly valueStart: number;
  private readonly valueEnd: number;
  private readonly headersStart: number;
  private readonly headerCount: number;
  /** Made once, so that `record.value === record.value`; undefined until then. */
  private keyView: Buffer | null | undefined;
  private valueView: Buffer | null | undefined;
  private headersView: RecordHeaders | undefined;

  constructor(cursor: RecordCursor, headersStart: number) {
    this.topic = cursor.topic;
    this.partition = cursor.partition;
    this.timestamp = cursor.timestamp;
    this.timestampType = cursor.timestampType;
    this.bytes = cursor.buffer;
    this.baseOffset = cursor.baseOffset;
    this.offsetDelta = cursor.offsetDelta;
    this.keyStart = cursor.keyStart;
    this.keyEnd = cursor.keyEnd;
    this.valueStart = cursor.valueStart;
    this.valueEnd = cursor.valueEnd;
    this.headersStart = headersStart;
    this.headerCount = cursor.headerCount;
    this.keyView = undefined;
    this.valueView = undefined;
    this.headersView = undefined;
  }

  get offset(): bigint {
    return this.baseOffset + BigInt(this.offsetDelta);
  }

  get key(): Buffer | null {
    if (this.keyView === undefined) {
      this.keyView = this.keyStart < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd);
    }
    return this.keyView;
  }

  get value(): Buffer | null {
    if (this.valueView === undefined) {
      this.valueView = this.valueStart < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd);
    }
    return this.valueView;
  }

  get headers(): RecordHeaders {
    this.headersView ??= readHeaders(this.bytes, this.headersStart, this.headerCount);
    return this.headersView;
  }

  text(): string | null {
    if (this.valueStart < 0) return null;
    const value = this.value as Buffer;
    if (!isUtf8(value)) throw this.unparsable('is not UTF-8');
    return value.toString('utf8');
  }

  json(): unknown {
    const text = this.text();
    if (text === null) return null;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw this.unparsable(`is not JSON: ${messageOf(cause)}`, cause);
    }
  }

  /** What `console.log(record)` shows: the record and not the response it lies in. */
  [inspect.custom](): unknown {
    const { topic, partition, offset, timestamp, timestampType, key, value, headers } = this;
    return { topic, partition, offset, timestamp, timestampType, key, value, headers };
  }

  private unparsable(finding: string, cause?: unknown): TidemarkError {
    const { topic, partition, offset } = this;
    return new TidemarkError('RECORD_UNPARSABLE', `The value of ${topic}-${partition} at offset ${offset} ${finding}`, {
      topic,
      partition,
      offset,
      cause,
    });
  }
}
