import { crc32c } from '../platform/index.ts';
import { pack, type TestCodec } from './codecPackers.ts';

const codecIds: Readonly<Record<TestCodec, number>> = { none: 0, gzip: 1, snappy: 2, snappyJava: 2, lz4: 3, zstd: 4 };

export interface RecordSpec {
  /** Default: one more than the record before. */
  readonly offsetDelta?: number;
  /** Milliseconds, a bigint where it is not a safe integer. Default: the batch's base timestamp. */
  readonly timestamp?: number | bigint;
  /** Default null. */
  readonly key?: Buffer | string | null;
  /** Default null. */
  readonly value?: Buffer | string | null;
  readonly headers?: readonly (readonly [name: string, value: Buffer | null])[];
}

export interface RecordBatchSpec {
  readonly baseOffset: bigint;
  readonly records: readonly RecordSpec[];
  /** Default: the last record's. Larger where compaction took the records at the end. */
  readonly lastOffsetDelta?: number;
  /** Default 0. */
  readonly leaderEpoch?: number;
  /** Default `none`. */
  readonly codec?: TestCodec;
  /** Default 1 700 000 000 000. */
  readonly baseTimestamp?: number | bigint;
  /** Default: the largest of the records, the base where there are none. */
  readonly maxTimestamp?: number | bigint;
  /** Default `create`. */
  readonly timestampType?: 'create' | 'append';
  /** Default -1: no producer id. */
  readonly producerId?: bigint;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  /** The base timestamp is the delete horizon (attribute bit 6). */
  readonly hasDeleteHorizon?: boolean;
}

/** Positions in an encoded batch that a test may want to change. */
export const recordBatchLayout = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  recordCount: 57,
  records: 61,
} as const;

/** Writes one record batch of message format v2 as a broker stores it. */
export function encodeRecordBatch(spec: RecordBatchSpec): Buffer {
  const base = BigInt(spec.baseTimestamp ?? 1_700_000_000_000);
  const { bytes, lastDelta, maxTimestamp } = encodeRecords(spec.records, base);
  return assembleRecordBatch(
    { maxTimestamp, ...spec, lastOffsetDelta: spec.lastOffsetDelta ?? lastDelta },
    pack(spec.codec ?? 'none', bytes),
  );
}

/** A header in front of record bytes that were packed elsewhere, or broken on purpose. */
export function assembleRecordBatch(spec: RecordBatchSpec, packed: Buffer): Buffer {
  const header = Buffer.alloc(recordBatchLayout.records);
  const base = BigInt(spec.baseTimestamp ?? 1_700_000_000_000);
  header.writeBigInt64BE(spec.baseOffset, recordBatchLayout.baseOffset);
  header.writeInt32BE(spec.leaderEpoch ?? 0, recordBatchLayout.leaderEpoch);
  header.writeInt8(2, recordBatchLayout.magic);
  header.writeInt16BE(attributesOf(spec), recordBatchLayout.attributes);
  header.writeInt32BE(spec.lastOffsetDelta ?? spec.records.length - 1, recordBatchLayout.lastOffsetDelta);
  header.writeBigInt64BE(base, recordBatchLayout.baseTimestamp);
  header.writeBigInt64BE(BigInt(spec.maxTimestamp ?? base), recordBatchLayout.maxTimestamp);
  header.writeBigInt64BE(spec.producerId ?? -1n, 43);
  header.writeInt16BE(spec.producerId === undefined ? -1 : 0, 51);
  header.writeInt32BE(spec.producerId === undefined ? -1 : 0, 53);
  header.writeInt32BE(spec.records.length, recordBatchLayout.recordCount);
  const batch = Buffer.concat([header, packed]);
  sealRecordBatch(batch);
  return batch;
}

/** Sets length and checksum to what the bytes are now: makes a changed batch pass the header's checks. */
export function sealRecordBatch(batch: Buffer): void {
  batch.writeInt32BE(batch.length - recordBatchLayout.leaderEpoch, recordBatchLayout.batchLength);
  batch.writeUInt32BE(crc32c(batch.subarray(recordBatchLayout.attributes)), recordBatchLayout.checksum);
}

/** The marker that ends a transaction. */
export function encodeTransactionMarker(marker: {
  readonly baseOffset: bigint;
  readonly producerId: bigint;
  readonly type: 'abort' | 'commit';
  readonly codec?: TestCodec;
  readonly leaderEpoch?: number;
  readonly baseTimestamp?: number;
}): Buffer {
  const { type, ...batch } = marker;
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]);
  // Version and coordinator epoch.
  const record = { key, value: Buffer.alloc(6) };
  return encodeRecordBatch({ ...batch, records: [record], isTransactional: true, isControl: true });
}

function attributesOf(spec: RecordBatchSpec): number {
  return (
    codecIds[spec.codec ?? 'none'] |
    (spec.timestampType === 'append' ? 0x08 : 0) |
    (spec.isTransactional === true ? 0x10 : 0) |
    (spec.isControl === true ? 0x20 : 0) |
    (spec.hasDeleteHorizon === true ? 0x40 : 0)
  );
}

function encodeRecords(records: readonly RecordSpec[], baseTimestamp: bigint) {
  const out = new ByteWriter();
  let lastDelta = -1;
  let maxTimestamp: bigint | undefined;
  for (const record of records) {
    lastDelta = record.offsetDelta ?? lastDelta + 1;
    const timestamp = BigInt(record.timestamp ?? baseTimestamp);
    if (maxTimestamp === undefined || timestamp > maxTimestamp) maxTimestamp = timestamp;
    const body = new ByteWriter();
    body.byte(0);
    body.varint(BigInt.asIntN(64, timestamp - baseTimestamp));
    body.varint(BigInt(lastDelta));
    body.sized(record.key ?? null);
    body.sized(record.value ?? null);
    const headers = record.headers ?? [];
    body.varint(BigInt(headers.length));
    for (const [name, value] of headers) {
      body.sized(name);
      body.sized(value);
    }
    out.sized(body.bytes());
  }
  return { bytes: out.bytes(), lastDelta, maxTimestamp: maxTimestamp ?? baseTimestamp };
}

class ByteWriter {
  private readonly parts: Buffer[] = [];

  bytes(): Buffer {
    return Buffer.concat(this.parts);
  }

  byte(value: number): void {
    this.parts.push(Buffer.from([value]));
  }

  /** Length, then the bytes; -1 for null. */
  sized(value: Buffer | string | null): void {
    if (value === null) {
      this.varint(-1n);
      return;
    }
    const bytes = Buffer.from(value as Buffer);
    this.varint(BigInt(bytes.length));
    this.parts.push(bytes);
  }

  /** Zigzag varint of up to 64 bits; the 32-bit ones are the same bytes. */
  varint(value: bigint): void {
    const bytes: number[] = [];
    let raw = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    for (; raw >= 0x80n; raw >>= 7n) bytes.push(Number(raw & 0x7fn) | 0x80);
    bytes.push(Number(raw));
    this.parts.push(Buffer.from(bytes));
  }
}
