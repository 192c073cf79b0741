import { loadCodec, malformed, tooLarge } from './refusals.ts';

interface Lz4Package {
  /** Unpacks one block that has its unpacked size in front, 4 bytes little endian. */
  uncompressSync(block: Buffer): Buffer;
}

interface Block {
  readonly start: number;
  readonly end: number;
  readonly isPacked: boolean;
  readonly unpackedBytes: number;
}

const frameMagic = 0x184d2204;
/** Bits of the frame's flag byte. */
const flag = {
  version: 0xc0,
  independentBlocks: 0x20,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  dictionary: 0x01,
};
const version1 = 0x40;
const storedBlock = 0x80000000;

let loaded: Lz4Package | undefined;

/**
 * One LZ4 frame of independent blocks, the only kind Kafka's own client reads.
 *
 * The frame is taken apart here and only its blocks go to the package: that one unpacks frames without a limit, takes a
 * missing end mark for the end, passes over what follows it, and is seven times slower with them (measured at 1 MiB).
 * Checksums of the frame are passed over: the record batch has its own.
 */
export function unpackLz4(packed: Buffer, bytesMax: number): Buffer {
  const blocks = frameBlocks(packed);
  let total = 0;
  for (const block of blocks) total += block.unpackedBytes;
  if (total > bytesMax) throw tooLarge('lz4', bytesMax);
  const unpacked = Buffer.allocUnsafe(total);
  let at = 0;
  for (const block of blocks) {
    if (block.isPacked) unpackBlock(packed, block).copy(unpacked, at);
    else packed.copy(unpacked, at, block.start, block.end);
    at += block.unpackedBytes;
  }
  return unpacked;
}

function unpackBlock(packed: Buffer, { start, end, unpackedBytes }: Block): Buffer {
  loaded ??= loadCodec<Lz4Package>('lz4-napi');
  const sized = Buffer.allocUnsafe(4 + end - start);
  sized.writeUInt32LE(unpackedBytes);
  packed.copy(sized, 4, start, end);
  const unpacked = loaded.uncompressSync(sized);
  if (unpacked.length !== unpackedBytes) throw malformed('lz4', 'a block does not give what its sequences say');
  return unpacked;
}

function frameBlocks(packed: Buffer): Block[] {
  if (packed.length < 7 || packed.readUInt32LE(0) !== frameMagic) throw malformed('lz4', 'it has no frame header');
  const flags = packed[4] as number;
  if ((flags & flag.version) !== version1) throw malformed('lz4', 'the version of its frame is unknown');
  if ((flags & flag.independentBlocks) === 0) throw malformed('lz4', 'its blocks depend on each other');
  if ((flags & flag.dictionary) !== 0) throw malformed('lz4', 'it needs a dictionary');
  const checksumBytes = (flags & flag.blockChecksum) === 0 ? 0 : 4;
  const trailerBytes = (flags & flag.contentChecksum) === 0 ? 0 : 4;
  const blockBytesMax = 2 ** (8 + 2 * (((packed[5] as number) >> 4) & 7));
  const blocks: Block[] = [];
  let at = (flags & flag.contentSize) === 0 ? 7 : 15;
  for (;;) {
    if (at + 4 > packed.length) throw malformed('lz4', 'its frame has no end mark');
    const word = packed.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const isPacked = word < storedBlock;
    const end = at + (isPacked ? word : word - storedBlock);
    if (end + checksumBytes > packed.length) throw malformed('lz4', 'a block ends beyond the batch');
    const unpackedBytes = isPacked ? countUnpacked(packed, at, end) : end - at;
    if (unpackedBytes > blockBytesMax) throw malformed('lz4', `a block gives more than ${blockBytesMax} bytes`);
    blocks.push({ start: at, end, isPacked, unpackedBytes });
    at = end + checksumBytes;
  }
  if (at + trailerBytes !== packed.length) throw malformed('lz4', 'its frame does not end with the batch');
  return blocks;
}

/** What the sequences of a block give, counted without unpacking them. Wrong only where the package will refuse the block. */
function countUnpacked(packed: Buffer, start: number, end: number): number {
  let total = 0;
  for (let at = start; at < end; ) {
    const token = packed[at++] as number;
    let literals = token >> 4;
    for (let more = literals === 15; more && at < end; at++) {
      literals += packed[at] as number;
      more = packed[at] === 255;
    }
    at += literals;
    total += literals;
    // The last sequence of a block is literals only.
    if (at >= end) break;
    at += 2;
    let match = token & 15;
    for (let more = match === 15; more && at < end; at++) {
      match += packed[at] as number;
      more = packed[at] === 255;
    }
    total += match + 4;
  }
  return total;
}
