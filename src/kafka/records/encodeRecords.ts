import { crc32c } from '../../platform/index.ts';

/** A record as a client library hands it out. */
export interface DecodedRecord {
  readonly offset: number;
  /** Milliseconds since 1970, -1 for none. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
  readonly leaderEpoch: number;
}

const headerBytes = 61;
const int32Max = 2 ** 31 - 1;
/** A number whose zigzag form is exact. */
const plainDeltaMax = 2 ** 51;

/** Writes records, in the order of their offsets, as record batches of format v2, one after the other and not compressed. */
export function encodeRecords(records: readonly DecodedRecord[]): Buffer {
  const batches: Buffer[] = [];
  for (let start = 0; start < records.length; ) {
    const end = batchEnd(records, start);
    batches.push(encodeBatch(records.slice(start, end)));
    start = end;
  }
  return batches.length === 1 ? (batches[0] as Buffer) : Buffer.concat(batches);
}

/** A batch has one leader epoch, and offset deltas of 32 bits. */
function batchEnd(records: readonly DecodedRecord[], start: number): number {
  const first = records[start] as DecodedRecord;
  let end = start + 1;
  for (; end < records.length; end++) {
    const record = records[end] as DecodedRecord;
    if (record.leaderEpoch !== first.leaderEpoch || record.offset - first.offset >= int32Max) break;
  }
  return end;
}

function encodeBatch(records: readonly DecodedRecord[]): Buffer {
  const first = records[0] as DecodedRecord;
  const last = records[records.length - 1] as DecodedRecord;
  const headers = records.map((record) =>
    record.headers.map(([name, value]): [Buffer, Buffer | null] => [Buffer.from(name), value]),
  );
  let bytes = headerBytes;
  let maxTimestamp = first.timestamp;
  const lengths = records.map((record, index) => {
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp;
    const length = recordBytes(record, headers[index] as [Buffer, Buffer | null][], first);
    bytes += varintBytes(length * 2) + length;
    return length;
  });

  const writer = new BatchWriter(Buffer.allocUnsafe(bytes));
  const { buffer } = writer;
  buffer.writeBigInt64BE(BigInt(first.offset), 0);
  buffer.writeInt32BE(bytes - 12, 8);
  buffer.writeInt32BE(first.leaderEpoch, 12);
  buffer.writeInt8(2, 16);
  buffer.writeInt16BE(0, 21);
  buffer.writeInt32BE(last.offset - first.offset, 23);
  buffer.writeBigInt64BE(BigInt(first.timestamp), 27);
  buffer.writeBigInt64BE(BigInt(maxTimestamp), 35);
  // No producer: id, epoch and sequence are -1.
  buffer.fill(0xff, 43, 57);
  buffer.writeInt32BE(records.length, 57);
  writer.at = headerBytes;
  for (const [index, record] of records.entries()) {
    writer.length(lengths[index] as number);
    buffer[writer.at++] = 0;
    writer.delta(record.timestamp - first.timestamp);
    writer.delta(record.offset - first.offset);
    writer.bytes(record.key);
    writer.bytes(record.value);
    const named = headers[index] as [Buffer, Buffer | null][];
    writer.length(named.length);
    for (const [name, value] of named) {
      writer.bytes(name);
      writer.bytes(value);
    }
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(21)), 17);
  return buffer;
}

function recordBytes(record: DecodedRecord, headers: readonly [Buffer, Buffer | null][], first: DecodedRecord): number {
  let bytes = 1 + deltaBytes(record.timestamp - first.timestamp) + deltaBytes(record.offset - first.offset);
  bytes += fieldBytes(record.key) + fieldBytes(record.value) + varintBytes(headers.length * 2);
  for (const [name, value] of headers) bytes += fieldBytes(name) + fieldBytes(value);
  return bytes;
}

function fieldBytes(field: Buffer | null): number {
  return field === null ? 1 : varintBytes(field.length * 2) + field.length;
}

function deltaBytes(delta: number): number {
  if (Math.abs(delta) > plainDeltaMax) return bigVarint(delta).length;
  return varintBytes(zigzag(delta));
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

function varintBytes(raw: number): number {
  let bytes = 1;
  for (let rest = raw; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** For timestamps far apart, which no number has exactly after the zigzag. */
function bigVarint(delta: number): number[] {
  const exact = BigInt(delta);
  let raw = BigInt.asUintN(64, (exact << 1n) ^ (exact >> 63n));
  const bytes: number[] = [];
  for (; raw >= 0x80n; raw >>= 7n) bytes.push(Number(raw & 0x7fn) | 0x80);
  bytes.push(Number(raw));
  return bytes;
}

class BatchWriter {
  readonly buffer: Buffer;
  at = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  length(value: number): void {
    this.raw(value * 2);
  }

  delta(value: number): void {
    if (Math.abs(value) <= plainDeltaMax) {
      this.raw(zigzag(value));
      return;
    }
    for (const byte of bigVarint(value)) this.buffer[this.at++] = byte;
  }

  bytes(field: Buffer | null): void {
    if (field === null) {
      this.buffer[this.at++] = 1;
      return;
    }
    this.length(field.length);
    this.at += field.copy(this.buffer, this.at);
  }

  private raw(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.at++] = rest;
  }
}
