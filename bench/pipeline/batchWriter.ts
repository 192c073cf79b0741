import { crc32c } from '../../src/platform/index.ts';

const headerBytes = 61;
const checksumAt = 17;
const attributesAt = 21;

/** A value as its own bytes in a record batch of format v2: no key, no headers. */
export interface PlainRecord {
  readonly value: string;
  readonly timestampMs: number;
}

/**
 * One record batch, fast enough that making two million records does not dominate a run of the bench. (The encoder of
 * the testkit can do everything, with bigints; Kafka's own producer would choose batches itself.)
 */
export function plainRecordBatch(records: readonly PlainRecord[]): Buffer {
  const base = records[0]?.timestampMs ?? 0;
  const sizes = records.map(({ value }) => Buffer.byteLength(value));
  // Of a record besides its value: at most six varints of 5 bytes and three single bytes.
  const batch = Buffer.allocUnsafe(headerBytes + sizes.reduce((sum, size) => sum + size + 33, 0));
  let position = headerBytes;
  for (const [index, { value, timestampMs }] of records.entries()) {
    const valueBytes = sizes[index] ?? 0;
    const timestampDelta = timestampMs - base;
    const bodyBytes = 3 + varintBytes(timestampDelta) + varintBytes(index) + varintBytes(valueBytes) + valueBytes;
    position = writeVarint(batch, position, bodyBytes);
    batch[position++] = 0; // attributes
    position = writeVarint(batch, position, timestampDelta);
    position = writeVarint(batch, position, index);
    position = writeVarint(batch, position, -1); // no key
    position = writeVarint(batch, position, valueBytes);
    position += batch.write(value, position);
    position = writeVarint(batch, position, 0); // no headers
  }
  writeHeader(batch, position, records.length, base, records.at(-1)?.timestampMs ?? base);
  return batch.subarray(0, position);
}

function writeHeader(batch: Buffer, end: number, count: number, base: number, last: number): void {
  batch.writeBigInt64BE(0n, 0); // the broker sets the base offset
  batch.writeInt32BE(end - 12, 8);
  batch.writeInt32BE(-1, 12); // leader epoch
  batch.writeInt8(2, 16);
  batch.writeInt16BE(0, attributesAt);
  batch.writeInt32BE(count - 1, 23);
  batch.writeBigInt64BE(BigInt(base), 27);
  batch.writeBigInt64BE(BigInt(last), 35);
  batch.writeBigInt64BE(-1n, 43); // producer id, epoch, sequence: none
  batch.writeInt16BE(-1, 51);
  batch.writeInt32BE(-1, 53);
  batch.writeInt32BE(count, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt, end)), checksumAt);
}

/** Zigzag, up to 31 bits. */
function writeVarint(batch: Buffer, start: number, value: number): number {
  let position = start;
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; raw >= 0x80; raw >>>= 7) batch[position++] = (raw & 0x7f) | 0x80;
  batch[position++] = raw;
  return position;
}

function varintBytes(value: number): number {
  let raw = ((value << 1) ^ (value >> 31)) >>> 0;
  let bytes = 1;
  for (; raw >= 0x80; raw >>>= 7) bytes += 1;
  return bytes;
}
