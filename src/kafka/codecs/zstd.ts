import * as zlib from 'node:zlib';
import { loadCodec, malformed, tooLarge } from './refusals.ts';
import { withinTime } from './withinTime.ts';
import { type ZstdFrame, zstdFrames } from './zstdFrame.ts';

/** Node has zstd since 22.15; the types are those of our oldest Node. */
type NativeUnpack = (packed: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer;
const nativeUnpack = (zlib as unknown as { zstdDecompressSync?: NativeUnpack }).zstdDecompressSync;

type Fzstd = typeof import('fzstd');
let fzstd: Fzstd | undefined;

const windowBytesMin = 128 * 1024;
const chunkBytesMin = 1024;
/** Output is taken in pieces of this size where a frame does not say how much it gives. */
const chunkBytesMax = 1024 * 1024;

/**
 * Time for one batch in JavaScript: what starting may take, and a hundredth of its usual speed. Measured: 19 crafted bytes,
 * whose sequences claim 131 KB each, would take minutes.
 */
const timeMsMin = 2_000;
const timeMsPerMib = 250;

/**
 * zstd, by Node where it can, else in JavaScript. The JavaScript decoder passes over a frame's checksum (the record batch
 * has its own) and believes the lengths of sequences, so its time is limited.
 */
export function unpackZstd(packed: Buffer, bytesMax: number): Buffer {
  const frames = zstdFrames(packed);
  if (nativeUnpack !== undefined) return unpackFrames(packed, frames, bytesMax);
  const bytes = frames.reduce((sum, frame) => sum + frame.contentBytesMax, 0);
  const timeMs = timeMsMin + Math.ceil((timeMsPerMib * Math.min(bytes, bytesMax)) / 2 ** 20);
  const unpacked = withinTime(timeMs, () => unpackFrames(packed, frames, bytesMax));
  if (unpacked === undefined) throw malformed('zstd', `it took longer than ${timeMs} ms, as only crafted data does`);
  return unpacked;
}

function unpackFrames(packed: Buffer, frames: readonly ZstdFrame[], bytesMax: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  for (const frame of frames) {
    if ((frame.contentBytes ?? 0) > bytesMax - total) throw tooLarge('zstd', bytesMax);
    if ((frame.contentBytes ?? 0) > frame.contentBytesMax) {
      throw malformed('zstd', `a frame declares ${frame.contentBytes} bytes and can hold ${frame.contentBytesMax}`);
    }
    const part = unpackFrame(packed, frame, bytesMax, total);
    total += part.length;
    parts.push(part);
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, total);
}

function unpackFrame(packed: Buffer, frame: ZstdFrame, bytesMax: number, total: number): Buffer {
  const bytes = withSmallWindow(packed, frame, bytesMax);
  if (nativeUnpack !== undefined) return unpackNatively(nativeUnpack, bytes, frame, bytesMax, total);
  fzstd ??= loadCodec<Fzstd>('fzstd');
  if (frame.contentBytes !== undefined && frame.contentBytes > 0) return asBuffer(fzstd.decompress(bytes));
  return unpackStream(fzstd, bytes, bytesMax, total);
}

function unpackNatively(
  native: NativeUnpack,
  bytes: Buffer,
  frame: ZstdFrame,
  bytesMax: number,
  total: number,
): Buffer {
  // maxOutputLength must be at least 1; a frame that gives nothing passes it too.
  const maxOutputLength = Math.max(1, bytesMax - total);
  const expected = frame.contentBytes ?? Math.min(frame.contentBytesMax, chunkBytesMax);
  try {
    const part = native(bytes, { maxOutputLength, chunkSize: Math.max(chunkBytesMin, expected + 1) });
    if (part.length > bytesMax - total) throw tooLarge('zstd', bytesMax);
    return part;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('zstd', bytesMax);
    throw error;
  }
}

/** The size is unknown beforehand: takes block by block and stops at the limit. */
function unpackStream(library: Fzstd, bytes: Buffer, bytesMax: number, total: number): Buffer {
  const blocks: Uint8Array[] = [];
  let size = 0;
  const stream = new library.Decompress((block) => {
    size += block.length;
    if (total + size > bytesMax) throw tooLarge('zstd', bytesMax);
    if (block.length > 0) blocks.push(block);
  });
  stream.push(bytes, true);
  return blocks.length === 1 ? asBuffer(blocks[0] as Uint8Array) : Buffer.concat(blocks, size);
}

/**
 * The bytes of a frame, with the window it asks for (up to 2 GB) no larger than its content may be: further back there
 * is nothing to refer to. Decoders allocate the window, or refuse it; the one in JavaScript moves all of it for every block.
 */
function withSmallWindow(packed: Buffer, frame: ZstdFrame, bytesMax: number): Buffer {
  const bytes = packed.subarray(frame.start, frame.end);
  if (frame.windowAt === undefined) return bytes;
  const contentBytesMax = Math.min(frame.contentBytesMax, bytesMax);
  const exponent = Math.ceil(Math.log2(Math.max(windowBytesMin, contentBytesMax)));
  if (2 ** exponent >= frame.windowBytes) return bytes;
  const copy = Buffer.from(bytes);
  copy[frame.windowAt - frame.start] = (exponent - 10) << 3;
  return copy;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
