import { malformed } from './refusals.ts';

/** What a zstd frame (RFC 8878) says about itself, without unpacking it. */
export interface ZstdFrame {
  readonly start: number;
  readonly end: number;
  /** The size its header declares, where it does. The Java client's stream does not. */
  readonly contentBytes: number | undefined;
  /** The most its blocks can give. */
  readonly contentBytesMax: number;
  /** Position of the byte that holds the window size; undefined where the content size is the window. */
  readonly windowAt: number | undefined;
  readonly windowBytes: number;
}

const frameMagic = 0xfd2fb528;
/** Sixteen magic numbers mark frames of user data that a decoder skips. */
const skippableMagic = 0x184d2a50;
const blockBytesCap = 128 * 1024;
const blockType = { raw: 0, rle: 1, reserved: 3 };

/** The data frames of a zstd stream, skippable ones left out. Throws KAFKA_CORRUPT_BATCH unless they fill the bytes exactly. */
export function zstdFrames(packed: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < packed.length) {
    if (at + 8 > packed.length) throw malformed('zstd', 'a frame is cut off');
    const magic = packed.readUInt32LE(at);
    if ((magic & ~15) >>> 0 === skippableMagic) {
      at += 8 + packed.readUInt32LE(at + 4);
      if (at > packed.length) throw malformed('zstd', 'a frame is cut off');
      continue;
    }
    if (magic !== frameMagic) throw malformed('zstd', 'it has no frame header');
    const frame = readFrame(packed, at);
    frames.push(frame);
    at = frame.end;
  }
  return frames;
}

function readFrame(packed: Buffer, start: number): ZstdFrame {
  const flags = packed[start + 4] as number;
  if ((flags & 0b11) !== 0) throw malformed('zstd', 'it needs a dictionary');
  if ((flags & 0b1000) !== 0) throw malformed('zstd', 'a reserved bit of its frame is set');
  const isSingleSegment = (flags & 0b10_0000) !== 0;
  const windowAt = isSingleSegment ? undefined : start + 5;
  const sizeAt = isSingleSegment ? start + 5 : start + 6;
  const sizeCode = flags >> 6;
  const sizeBytes = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeCode;
  const blocksAt = sizeAt + sizeBytes;
  if (blocksAt > packed.length) throw malformed('zstd', 'a frame is cut off');
  const contentBytes = readContentBytes(packed, sizeAt, sizeBytes);
  const windowBytes = windowAt === undefined ? (contentBytes ?? 0) : windowOf(packed[windowAt] as number);
  const blocks = readBlocks(packed, blocksAt, Math.min(windowBytes, blockBytesCap));
  const end = blocks.end + ((flags & 0b100) === 0 ? 0 : 4);
  if (end > packed.length) throw malformed('zstd', 'a frame is cut off');
  return { start, end, contentBytes, contentBytesMax: blocks.bytesMax, windowAt, windowBytes };
}

function readContentBytes(packed: Buffer, at: number, bytes: number): number | undefined {
  switch (bytes) {
    case 1:
      return packed[at];
    case 2:
      return packed.readUInt16LE(at) + 256;
    case 4:
      return packed.readUInt32LE(at);
    case 8:
      // Beyond 2^53 it is rounded, which is still far beyond every limit.
      return Number(packed.readBigUInt64LE(at));
    default:
      return undefined;
  }
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Where the blocks of a frame end and the most they can give: a compressed block never gives more than `blockBytesMax`. */
function readBlocks(packed: Buffer, start: number, blockBytesMax: number): { end: number; bytesMax: number } {
  let at = start;
  let bytesMax = 0;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > packed.length) throw malformed('zstd', 'a frame is cut off');
    const header = packed.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === blockType.reserved || size > blockBytesMax) throw malformed('zstd', 'a block breaks the format');
    at += 3 + (type === blockType.rle ? 1 : size);
    bytesMax += type === blockType.raw || type === blockType.rle ? size : blockBytesMax;
  }
  if (at > packed.length) throw malformed('zstd', 'a frame is cut off');
  return { end: at, bytesMax };
}
