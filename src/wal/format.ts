/**
 * The bytes of a segment. All numbers are big-endian and unsigned; docs/wal-format.md has a worked example.
 *
 * A segment is a file named by the index of its first entry, 20 digits and `.wal`:
 *
 *     header   0  8  magic "TIDEWAL\n"
 *              8  4  version, 1
 *             12 16  log id, a UUID
 *             28  8  index of the first entry; the same as in the name
 *             36  4  CRC-32C of bytes 0 to 35
 *     frames  40     one behind the other, no padding, to the end of the file
 *
 *     frame    0  4  magic "TmEf"
 *              4  4  length of the payload
 *              8  8  index: one more than that of the frame before
 *             16  2  kind: 0 = entry, 1 = gap
 *             18  2  unsynced before: how many frames directly before it were not durable yet when it was written
 *             20  4  CRC-32C of the payload
 *             24  4  CRC-32C of bytes 0 to 23, continued from the checksum of the segment's header
 *             28     payload
 *
 * The frame's checksum continues the header's, so a frame counts only in the segment it was written to. A frame says
 * which of those before it were durable when it was written: that is how damage is told from a torn tail (survey.ts).
 *
 * A gap stands for entries that a repair could not save: its payload is the index of the next frame, 8 bytes.
 */
import { crc32c } from '../platform/index.ts';

export const formatVersion = 1;
export const segmentHeaderBytes = 40;
export const frameHeaderBytes = 28;
/** No entry was ever written longer, whatever `entryBytesMax` was set to: a reader allocates no more for what it is told. */
export const entryBytesLimit = 256 * 1_048_576;
/** Frames of one write. Two groups at most are unsynced at a time, and their frames are counted with two bytes. */
export const groupEntriesMax = 512;

export const frameKinds = { entry: 0, gap: 1 } as const;
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds];

const segmentMagic = Buffer.from('TIDEWAL\n');
export const frameMagic = Buffer.from('TmEf');
const frameMagicNumber = frameMagic.readUInt32BE();

/** What a segment's header says. */
export interface SegmentHeader {
  /** UUID as text. */
  readonly logId: string;
  readonly firstIndex: bigint;
}

export interface FrameHeader {
  readonly index: bigint;
  readonly kind: FrameKind;
  readonly unsyncedBefore: number;
  readonly payloadBytes: number;
  readonly payloadChecksum: number;
}

/** What is wrong with bytes, and where among them. */
export interface FormatProblem {
  readonly problem: 'damaged' | 'version';
  readonly byteOffset: number;
  readonly what: string;
}

export function segmentName(firstIndex: bigint): string {
  return `${String(firstIndex).padStart(20, '0')}.wal`;
}

/** The first index in a segment's name; undefined for every other name. */
export function firstIndexOf(name: string): bigint | undefined {
  const digits = /^(\d{20})\.wal$/.exec(name)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

export function encodeSegmentHeader({ logId, firstIndex }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(bytes);
  bytes.writeUInt32BE(formatVersion, 8);
  bytes.set(uuidBytes(logId), 12);
  bytes.writeBigUInt64BE(firstIndex, 28);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 36)), 36);
  return bytes;
}

export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | FormatProblem {
  if (bytes.length < segmentHeaderBytes) return damaged(bytes.length, 'the header of the segment is cut short');
  if (!bytes.subarray(0, 8).equals(segmentMagic)) return damaged(0, 'this is not a segment of a write-ahead log');
  const version = bytes.readUInt32BE(8);
  if (version !== formatVersion) return unknownVersion(8, version);
  if (crc32c(bytes.subarray(0, 36)) !== bytes.readUInt32BE(36)) {
    return damaged(0, 'the header of the segment fails its checksum');
  }
  return { logId: uuidText(bytes.subarray(12, 28)), firstIndex: bytes.readBigUInt64BE(28) };
}

/** What the checksums of a segment's frames begin with. */
export function frameSeed(header: SegmentHeader): number {
  return encodeSegmentHeader(header).readUInt32BE(36);
}

/** Writes a frame's header to the first bytes of `into`. */
export function encodeFrameHeader(header: FrameHeader, seed: number, into: Buffer): void {
  frameMagic.copy(into);
  into.writeUInt32BE(header.payloadBytes, 4);
  into.writeBigUInt64BE(header.index, 8);
  into.writeUInt16BE(header.kind, 16);
  into.writeUInt16BE(header.unsyncedBefore, 18);
  into.writeUInt32BE(header.payloadChecksum, 20);
  into.writeUInt32BE(crc32c(into.subarray(0, 24), seed), 24);
}

/** The frame's header at `at` of the bytes; undefined where none with a right checksum begins. */
export function decodeFrameHeader(bytes: Buffer, at: number, seed: number): FrameHeader | undefined {
  if (bytes.length - at < frameHeaderBytes || bytes.readUInt32BE(at) !== frameMagicNumber) return undefined;
  if (crc32c(bytes.subarray(at, at + 24), seed) !== bytes.readUInt32BE(at + 24)) return undefined;
  return {
    index: bytes.readBigUInt64BE(at + 8),
    kind: bytes.readUInt16BE(at + 16) as FrameKind,
    unsyncedBefore: bytes.readUInt16BE(at + 18),
    payloadBytes: bytes.readUInt32BE(at + 4),
    payloadChecksum: bytes.readUInt32BE(at + 20),
  };
}

/** The payload of a gap. */
export function encodeGap(untilIndex: bigint): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeBigUInt64BE(untilIndex);
  return payload;
}

/** Index of the frame behind this one. */
export function indexAfter(kind: FrameKind, index: bigint, payload: Uint8Array): bigint {
  if (kind === frameKinds.entry) return index + 1n;
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length).readBigUInt64BE();
}

export function damaged(byteOffset: number, what: string): FormatProblem {
  return { problem: 'damaged', byteOffset, what };
}

export function unknownVersion(byteOffset: number, version: number): FormatProblem {
  return {
    problem: 'version',
    byteOffset,
    what: `version ${version} is unknown, this tidemark reads ${formatVersion}`,
  };
}

export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
