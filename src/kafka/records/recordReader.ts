import type { TidemarkError } from '../../errors.ts';
import type { TimestampType } from '../../model/index.ts';

/** Attributes, timestamp delta, offset delta, key length, value length, header count: a byte each at least. */
const recordBytesMin = 6;
/** A name's length and a value's. */
const headerBytesMin = 2;
const varintBytesMax = 5;
const varlongBytesMax = 10;
/** So many bytes of a varlong make an integer that a number holds exactly. */
const exactVarlongBytes = 7;
/** Zigzag for -1. */
const nullLength = 1;
/** No two bytes of a varint give this. */
const beyondTwoBytes = -1;

/**
 * Reads the records of one batch into plain number fields, one after the other. The part of the cursor that knows the
 * record format; kept apart only because a file should have one subject: there is one concrete class, and the engine
 * sees one shape.
 *
 * Whatever the bytes hold, `readRecord` throws a TidemarkError or stays within the batch: each step moves forward, and
 * positions are held against the record's end before anyone sees them.
 */
export abstract class RecordReader {
  buffer: Buffer;
  offsetDelta = -1;
  timestamp = -1;
  timestampType: TimestampType = 'create';
  keyStart = -1;
  keyEnd = -1;
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  protected headersStart = 0;

  /** Position of the next byte to read, in `buffer`; the records of the batch end at `recordsEnd`. */
  protected position = 0;
  protected recordsEnd = 0;
  /** Records not read yet. */
  protected remaining = 0;
  protected lastOffsetDelta = -1;
  protected baseTimestamp = 0;
  /** The base as written, for sums that a number cannot hold. */
  protected exactBase = 0n;
  /** The timestamps are the producer's, and their base fits a number exactly. */
  protected isTimePlain = false;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  /** The error for a finding in the present batch; the walk is over. */
  protected abstract corrupt(reason: string): TidemarkError;

  /**
   * Reads one record. Integers are zigzag varints; those of one and two bytes, nearly all, are read in place: calls cost
   * half the speed here. A read beyond the end gives undefined, which counts as 0, and the position gives it away.
   */
  protected readRecord(): void {
    const bytes = this.buffer;
    let at = this.position;
    let raw = bytes[at++] as number;
    if (raw >= 0x80) {
      const second = bytes[at++] as number;
      if (second < 0x80) {
        raw = (raw & 0x7f) | (second << 7);
      } else {
        raw = this.longVarint(at - 2);
        at = this.position;
      }
    }
    const length = (raw >>> 1) ^ -(raw & 1);
    const end = at + length;
    if (length < recordBytesMin || end > this.recordsEnd) throw this.corrupt('a record does not fit into it');

    // One byte of attributes: none of their bits means anything yet.
    at += 1;
    const timestampAt = at;
    raw = bytes[at++] as number;
    if (raw >= 0x80) {
      const second = bytes[at++] as number;
      if (second < 0x80) {
        raw = (raw & 0x7f) | (second << 7);
      } else {
        at = this.skipVarlong(at);
        raw = beyondTwoBytes;
      }
    }
    if (raw !== beyondTwoBytes && this.isTimePlain) this.timestamp = this.baseTimestamp + ((raw >>> 1) ^ -(raw & 1));
    else if (this.timestampType === 'create') this.timestamp = this.longTimestamp(timestampAt, at);

    raw = bytes[at++] as number;
    if (raw >= 0x80) {
      const second = bytes[at++] as number;
      if (second < 0x80) {
        raw = (raw & 0x7f) | (second << 7);
      } else {
        raw = this.longVarint(at - 2);
        at = this.position;
      }
    }
    const delta = (raw >>> 1) ^ -(raw & 1);
    if (delta <= this.offsetDelta || delta > this.lastOffsetDelta) throw this.outOfOrder(delta);
    this.offsetDelta = delta;
    this.position = this.readFields(bytes, at, end);
    this.remaining -= 1;
  }

  /** Key, value and headers; returns the end of the record. */
  private readFields(bytes: Buffer, start: number, end: number): number {
    let at = start;
    let raw = bytes[at++] as number;
    if (raw >= 0x80) {
      const second = bytes[at++] as number;
      if (second < 0x80) {
        raw = (raw & 0x7f) | (second << 7);
      } else {
        raw = this.longVarint(at - 2);
        at = this.position;
      }
    }
    if (raw === nullLength) {
      this.keyStart = -1;
      this.keyEnd = -1;
    } else {
      this.keyStart = at;
      at += raw >>> 1;
      this.keyEnd = at;
      if ((raw & 1) === 1 || at > end) throw this.corrupt('a key does not fit into its record');
    }

    raw = bytes[at++] as number;
    if (raw >= 0x80) {
      const second = bytes[at++] as number;
      if (second < 0x80) {
        raw = (raw & 0x7f) | (second << 7);
      } else {
        raw = this.longVarint(at - 2);
        at = this.position;
      }
    }
    if (raw === nullLength) {
      this.valueStart = -1;
      this.valueEnd = -1;
    } else {
      this.valueStart = at;
      at += raw >>> 1;
      this.valueEnd = at;
      if ((raw & 1) === 1 || at > end) throw this.corrupt('a value does not fit into its record');
    }

    this.headerCount = 0;
    this.headersStart = at + 1;
    if (bytes[at] === 0) at += 1;
    else at = this.skipHeaders(at, end);
    if (at !== end) throw this.corrupt('a record is not as long as it says');
    return at;
  }

  /** Checks that the headers fit; returns the position behind them. */
  private skipHeaders(start: number, end: number): number {
    const count = this.signedVarint(start);
    this.headerCount = count;
    this.headersStart = this.position;
    if (count < 0 || count * headerBytesMin > end - this.position) {
      throw this.corrupt(`a record declares ${count} headers`);
    }
    for (let index = 0; index < count; index++) {
      const nameLength = this.signedVarint(this.position);
      this.position += nameLength;
      if (nameLength < 0 || this.position > end) {
        throw this.corrupt('the name of a header does not fit into its record');
      }
      const valueLength = this.signedVarint(this.position);
      if (valueLength > 0) this.position += valueLength;
      if (valueLength < -1 || this.position > end) throw this.corrupt('a header does not fit into its record');
    }
    return this.position;
  }

  private signedVarint(start: number): number {
    const raw = this.longVarint(start);
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** The bits of a varint of any length up to 32 bits; leaves `position` behind it. */
  private longVarint(start: number): number {
    let raw = 0;
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.buffer[start + index] as number;
      raw |= (byte & 0x7f) << (7 * index);
      if (byte >= 0x80) continue;
      this.position = start + index + 1;
      return raw;
    }
    throw this.corrupt('an integer has more than 32 bits');
  }

  /** The end of a varlong whose third byte is at `third`. */
  private skipVarlong(third: number): number {
    for (let at = third; at < third + varlongBytesMax - 2; at++) {
      if (at >= this.recordsEnd) throw this.corrupt('a record does not fit into it');
      if ((this.buffer[at] as number) < 0x80) return at + 1;
    }
    throw this.corrupt('a timestamp has more than 64 bits');
  }

  /**
   * Base plus a delta of any length. Where a number would not be exact on the way the sum is made in 64 bits, as the
   * writer made it; a sum beyond 2^53 (a producer that sent nanoseconds) is rounded to what a number can hold.
   */
  private longTimestamp(start: number, end: number): number {
    const { buffer } = this;
    if (this.isTimePlain && end - start <= exactVarlongBytes) {
      let raw = 0;
      for (let at = end - 1; at >= start; at--) raw = raw * 0x80 + ((buffer[at] as number) & 0x7f);
      return this.baseTimestamp + (raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2);
    }
    let raw = 0n;
    for (let at = end - 1; at >= start; at--) raw = (raw << 7n) | BigInt((buffer[at] as number) & 0x7f);
    raw = BigInt.asUintN(64, raw);
    const delta = (raw >> 1n) ^ -(raw & 1n);
    return Number(BigInt.asIntN(64, this.exactBase + delta));
  }

  private outOfOrder(delta: number): TidemarkError {
    return this.corrupt(
      delta > this.lastOffsetDelta
        ? `a record has offset delta ${delta}, beyond its last one, ${this.lastOffsetDelta}`
        : `a record has offset delta ${delta} after ${this.offsetDelta}`,
    );
  }
}
