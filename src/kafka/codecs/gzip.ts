import { gunzipSync } from 'node:zlib';
import { tooLarge } from './refusals.ts';

/** Deflate cannot do better than this many bytes out of one. */
const ratioMax = 1032;
const chunkBytesMin = 1024;

/** gzip (RFC 1952). */
export function unpackGzip(packed: Buffer, bytesMax: number): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: bytesMax, chunkSize: expectedBytes(packed, bytesMax) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('gzip', bytesMax);
    throw error;
  }
}

/** The size in the trailer, as a hint that lets zlib fill one buffer. Not trusted: held to what the input could give. */
function expectedBytes(packed: Buffer, bytesMax: number): number {
  const claimed = packed.length < 4 ? 0 : packed.readUInt32LE(packed.length - 4);
  // One byte more, or zlib asks for another buffer only to learn that the stream has ended.
  return Math.max(chunkBytesMin, Math.min(claimed, packed.length * ratioMax, bytesMax) + 1);
}
