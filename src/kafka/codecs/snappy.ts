import { loadCodec, malformed, tooLarge } from './refusals.ts';

interface SnappyPackage {
  uncompressSync(input: Uint8Array, options: { asBuffer: true; copyOutputData: true }): Buffer;
}

/** snappy-java's stream header: 0x82 "SNAPPY" 0, then version and oldest compatible version, 4 bytes each. */
const javaMagic = Buffer.from('82534e4150505900', 'hex');
const javaHeaderBytes = 16;

/** A copy element of 3 bytes gives at most 64: no input gives more than this many bytes out of one. */
const ratioMax = 22;

let loaded: SnappyPackage | undefined;

/** Raw snappy as librdkafka writes it, or raw blocks in the framing of snappy-java (by Xerial) as the Java client does. */
export function unpackSnappy(packed: Buffer, bytesMax: number): Buffer {
  // A raw stream cannot begin like the magic: its first element after the length would copy from before the start.
  const isJava = packed.length >= javaHeaderBytes && packed.subarray(0, javaMagic.length).equals(javaMagic);
  if (!isJava) {
    if (rawBytes(packed) > bytesMax) throw tooLarge('snappy', bytesMax);
    return unpackRaw(packed);
  }
  const blocks = javaBlocks(packed);
  let total = 0;
  for (const block of blocks) {
    total += rawBytes(block);
    if (total > bytesMax) throw tooLarge('snappy', bytesMax);
  }
  return blocks.length === 1 ? unpackRaw(blocks[0] as Buffer) : Buffer.concat(blocks.map(unpackRaw), total);
}

function unpackRaw(block: Buffer): Buffer {
  loaded ??= loadCodec<SnappyPackage>('snappy');
  // Copied into memory of the engine: handing over its own costs the package six times the unpacking (measured at 1 MiB).
  return loaded.uncompressSync(block, { asBuffer: true, copyOutputData: true });
}

function javaBlocks(packed: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let at = javaHeaderBytes;
  while (at < packed.length) {
    const end = at + 4 <= packed.length ? at + 4 + packed.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > packed.length) throw malformed('snappy', 'a block ends beyond the batch');
    blocks.push(packed.subarray(at + 4, end));
    at = end;
  }
  return blocks;
}

/** The unpacked size a raw block announces. The package allocates what it says, so an impossible one stops here. */
function rawBytes(block: Buffer): number {
  let size = 0;
  for (let index = 0; index < 5; index++) {
    const byte = block[index];
    if (byte === undefined) break;
    size += (byte & 0x7f) * 2 ** (7 * index);
    if (byte >= 0x80) continue;
    if (size > block.length * ratioMax) throw malformed('snappy', `a block of ${block.length} bytes claims ${size}`);
    return size;
  }
  throw malformed('snappy', 'a block has no valid length');
}
