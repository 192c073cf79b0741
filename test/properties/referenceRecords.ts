import type { PlainRecord } from '../fixtures/fetched.ts';

/** Records up to the first that breaks the format, and whether one did. */
export interface ReferenceResult {
  readonly records: readonly PlainRecord[];
  readonly isRefused: boolean;
}

/**
 * The records of an unpacked v2 batch, read in the plainest way: every byte through one checked function, all numbers
 * bigints. What the fast decoder is held against.
 */
export function referenceRecords(header: Buffer, body: Buffer): ReferenceResult {
  const baseOffset = header.readBigInt64BE(0);
  const isAppend = (header.readUInt16BE(21) & 8) !== 0;
  const lastOffsetDelta = header.readInt32BE(23);
  const count = header.readInt32BE(57);
  const records: PlainRecord[] = [];
  let rest = body;
  let previous = -1n;
  try {
    for (let index = 0; index < count; index++) {
      const whole = new Bytes(rest);
      const length = whole.integer(5);
      const record = new Bytes(whole.take(length) ?? fail());
      rest = whole.rest;
      record.take(1n);
      const timestampDelta = record.integer(10);
      const offsetDelta = record.integer(5);
      if (offsetDelta <= previous || offsetDelta > lastOffsetDelta) fail();
      previous = offsetDelta;
      const key = record.take(record.integer(5));
      const value = record.take(record.integer(5));
      const headers: [string, Buffer | null][] = [];
      const headerCount = record.integer(5);
      if (headerCount < 0) fail();
      for (let each = 0; each < headerCount; each++) {
        const name = record.take(record.integer(5)) ?? fail();
        headers.push([name.toString(), record.take(record.integer(5))]);
      }
      if (record.rest.length > 0) fail();
      records.push({
        offset: baseOffset + offsetDelta,
        timestamp: Number(
          isAppend ? header.readBigInt64BE(35) : BigInt.asIntN(64, header.readBigInt64BE(27) + timestampDelta),
        ),
        timestampType: isAppend ? 'append' : 'create',
        key,
        value,
        headers,
      });
    }
    return { records, isRefused: rest.length > 0 };
  } catch (error) {
    if (!(error instanceof BrokenFormat)) throw error;
    return { records, isRefused: true };
  }
}

class BrokenFormat extends Error {}

function fail(): never {
  throw new BrokenFormat();
}

class Bytes {
  rest: Buffer;

  constructor(bytes: Buffer) {
    this.rest = bytes;
  }

  /** null for a length of -1. */
  take(length: bigint): Buffer | null {
    if (length === -1n) return null;
    if (length < 0 || length > this.rest.length) fail();
    const taken = this.rest.subarray(0, Number(length));
    this.rest = this.rest.subarray(Number(length));
    return taken;
  }

  /** A zigzag varint of so many bytes at most: 32 bits in 5, 64 in 10; bits beyond are dropped. */
  integer(bytesMax: number): bigint {
    let raw = 0n;
    for (let index = 0; index < bytesMax; index++) {
      const byte = this.rest[0] ?? fail();
      this.rest = this.rest.subarray(1);
      raw |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) {
        const bits = BigInt.asUintN(bytesMax === 5 ? 32 : 64, raw);
        return (bits >> 1n) ^ -(bits & 1n);
      }
    }
    return fail();
  }
}
