import * as zlib from 'node:zlib';
import * as lz4 from 'lz4-napi';
import * as snappy from 'snappy';

/** `snappy` is raw as librdkafka writes it, `snappyJava` in the Java client's framing. */
export const testCodecs = ['none', 'gzip', 'snappy', 'snappyJava', 'lz4', 'zstd'] as const;
export type TestCodec = (typeof testCodecs)[number];

/** Packs bytes as a producer would with this codec. */
export function pack(codec: TestCodec, bytes: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return bytes;
    case 'gzip':
      return zlib.gzipSync(bytes);
    case 'snappy':
      return packSnappy(bytes);
    case 'snappyJava':
      return packSnappyJava(bytes);
    case 'lz4':
      return lz4.compressFrameSync(bytes);
    case 'zstd':
      return packZstd(bytes);
  }
}

function packSnappy(bytes: Buffer): Buffer {
  return snappy.compressSync(bytes);
}

/** Blocks of 32 KiB, each with its packed length in front, behind a header of magic and two versions. */
function packSnappyJava(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e41505059000000000100000001', 'hex')];
  for (let at = 0; at < bytes.length; at += 32_768) {
    const block = packSnappy(bytes.subarray(at, at + 32_768));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

/** By Node where it can; else a frame of stored blocks and run-length blocks, which is zstd too. */
function packZstd(bytes: Buffer): Buffer {
  const native = (zlib as unknown as { zstdCompressSync?: (bytes: Buffer) => Buffer }).zstdCompressSync;
  if (native !== undefined) return native(bytes);
  const blockBytesMax = 128 * 1024;
  // No content size, a window of 128 KiB.
  const parts: Buffer[] = [Buffer.from('28b52ffd0038', 'hex')];
  let at = 0;
  do {
    const block = bytes.subarray(at, at + blockBytesMax);
    at += blockBytesMax;
    const isRun = block.length > 0 && block.equals(Buffer.alloc(block.length, block[0]));
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (isRun ? 2 : 0) | (at >= bytes.length ? 1 : 0), 0, 3);
    parts.push(header, isRun ? block.subarray(0, 1) : block);
  } while (at < bytes.length);
  return Buffer.concat(parts);
}
