import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../../../src/errors.ts';
import { unpack } from '../../../../src/kafka/codecs/index.ts';
import { pack, type TestCodec, testCodecs } from '../../../../src/testkit/index.ts';

const ids: Record<TestCodec, number> = { none: 0, gzip: 1, snappy: 2, snappyJava: 2, lz4: 3, zstd: 4 };
const packing = testCodecs.filter((codec) => codec !== 'none');
const mib = 1024 * 1024;

function refusal(codecId: number, packed: Buffer, bytesMax = mib): { code: string; message: string } {
  try {
    unpack(codecId, packed, bytesMax);
  } catch (error) {
    if (isTidemarkError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('it unpacked');
}

/** Memory taken outside the engine's heap while the work ran, at least. */
function bytesAllocatedBy(work: () => unknown): number {
  const before = process.memoryUsage();
  work();
  const after = process.memoryUsage();
  return after.arrayBuffers - before.arrayBuffers + (after.external - before.external);
}

/** Words that pack well and still need every part of a format. */
function sample(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = 97 + (((index * index) >> 6) % 23);
  return bytes;
}

describe.each(packing)('%s', (codec) => {
  const id = ids[codec];

  test.each([0, 1, 100, 65_536, 400_000])('unpacks %i bytes', (length) => {
    const bytes = sample(length);
    expect(unpack(id, pack(codec, bytes), mib).equals(bytes)).toBe(true);
  });

  test('the limit is exact', () => {
    const bytes = sample(70_000);
    const packed = pack(codec, bytes);
    expect(unpack(id, packed, 70_000)).toHaveLength(70_000);
    expect(refusal(id, packed, 69_999)).toMatchObject({ code: 'KAFKA_BATCH_TOO_LARGE' });
  });

  test('64 MiB in a few bytes are refused without being made', () => {
    const packed = pack(codec, Buffer.alloc(64 * mib));
    const taken = bytesAllocatedBy(() => expect(refusal(id, packed).code).toBe('KAFKA_BATCH_TOO_LARGE'));
    expect(taken).toBeLessThan(16 * mib);
  });

  test('is not unpacked when cut off anywhere', () => {
    const packed = pack(codec, sample(2_000));
    for (let length = 1; length < packed.length; length++) {
      // The frame header of snappy-java is a complete stream without blocks.
      if (codec === 'snappyJava' && length === 16) continue;
      expect(refusal(id, packed.subarray(0, length)).code, `${length} bytes`).toBe('KAFKA_CORRUPT_BATCH');
    }
  });

  test('garbage behind it is found', () => {
    const packed = Buffer.concat([pack(codec, sample(2_000)), Buffer.from('garbage!')]);
    expect(refusal(id, packed).code).toBe('KAFKA_CORRUPT_BATCH');
  });
});

describe('gzip', () => {
  test('of several members, one after the other', () => {
    expect(unpack(1, Buffer.concat([gzipSync('one '), gzipSync('two')]), 100).toString()).toBe('one two');
  });
});

describe('snappy', () => {
  test('a block that announces more than it can hold allocates nothing', () => {
    const packed = Buffer.from([0xff, 0xff, 0xff, 0x1f, 0, 0x61]);
    expect(refusal(2, packed, 2 ** 31).message).toContain('claims 67108863');
  });

  test.each([
    ['a length without end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a block beyond the batch', [...Buffer.from('82534e41505059000000000100000001', 'hex'), 0, 0, 0, 9, 0]],
    ['a block length cut off', [...Buffer.from('82534e41505059000000000100000001', 'hex'), 0, 0]],
  ])('%s', (_, bytes) => {
    expect(refusal(2, Buffer.from(bytes)).code).toBe('KAFKA_CORRUPT_BATCH');
  });
});

describe('lz4', () => {
  const frame = () => Buffer.from(pack('lz4', sample(2_000)));

  test.each<[string, RegExp, (bytes: Buffer) => void]>([
    ['another magic', /no frame header/, (bytes) => bytes.writeUInt8(0, 0)],
    ['another version', /version of its frame/, (bytes) => bytes.writeUInt8(0xa0, 4)],
    ['blocks that depend on each other', /depend on each other/, (bytes) => bytes.writeUInt8(0x40, 4)],
    ['a dictionary', /needs a dictionary/, (bytes) => bytes.writeUInt8(0x61, 4)],
    ['a block beyond the batch', /ends beyond the batch/, (bytes) => bytes.writeUInt32LE(0x7fffffff, 7)],
    ['a block size that is none', /gives more than 256 bytes/, (bytes) => bytes.writeUInt8(0, 5)],
  ])('%s', (_, message, change) => {
    const bytes = frame();
    change(bytes);
    expect(refusal(3, bytes)).toMatchObject({ code: 'KAFKA_CORRUPT_BATCH', message: expect.stringMatching(message) });
  });

  test('stored blocks, checksums and a content size are understood', () => {
    const text = Buffer.from('stored as it is');
    const block = Buffer.alloc(4);
    block.writeUInt32LE(0x80000000 + text.length);
    const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x7c, 0x40, text.length, 0, 0, 0, 0, 0, 0, 0, 0]);
    const checksum = Buffer.alloc(4);
    const packed = Buffer.concat([header, block, text, checksum, Buffer.alloc(4), checksum]);
    expect(unpack(3, packed, 100).toString()).toBe('stored as it is');
  });
});

describe('zstd', () => {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  /** "abc" stored in the last block. */
  const abc = [0x19, 0, 0, 0x61, 0x62, 0x63];

  test.each<[string, string, number[]]>([
    ['a content size', 'abc', [...magic, 0x20, 3, ...abc]],
    ['a checksum', 'abc', [...magic, 0x04, 0x38, ...abc, 0x99, 0x09, 0x77, 0xad]],
    ['two frames', 'abcabc', [...magic, 0, 0x38, ...abc, ...magic, 0x20, 3, ...abc]],
    ['a skippable frame', 'abc', [0x51, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9, ...magic, 0, 0x38, ...abc]],
    ['a run', 'aaaa', [...magic, 0, 0x38, 0x23, 0, 0, 0x61]],
  ])('%s', (_, text, bytes) => {
    expect(unpack(4, Buffer.from(bytes), 100).toString()).toBe(text);
  });

  test('a window of 2 GB for three bytes is not allocated', () => {
    const packed = Buffer.from([...magic, 0, 0xa8, ...abc]);
    const taken = bytesAllocatedBy(() => expect(unpack(4, packed, 100).toString()).toBe('abc'));
    expect(taken).toBeLessThan(16 * mib);
  });

  test.each<[string, RegExp, number[]]>([
    ['a dictionary', /needs a dictionary/, [...magic, 0x01, 0x38, 7, ...abc]],
    ['a reserved bit', /reserved bit/, [...magic, 0x08, 0x38, ...abc]],
    ['a reserved block type', /block breaks the format/, [...magic, 0, 0x38, 0x1f, 0, 0, 1, 1, 1]],
    ['a block over 128 KiB', /block breaks the format/, [...magic, 0, 0x60, 0x03, 0, 0x80, 1]],
    ['a content size no block could give', /declares 99 bytes and can hold 3/, [...magic, 0x20, 99, ...abc]],
    ['no frame', /no frame header/, [1, 2, 3, 4, 5, 6, 7, 8]],
  ])('%s', (_, message, bytes) => {
    expect(refusal(4, Buffer.from(bytes))).toMatchObject({
      code: 'KAFKA_CORRUPT_BATCH',
      message: expect.stringMatching(message),
    });
  });

  test('lengths that only a crafted block has end in time', () => {
    // Literals: a run of one. 98 047 sequences by run-length codes, each of 65 536 literals and a match of 65 539, without bits.
    const block = [0x09, 0x61, 0xff, 0xff, 0xff, 0x54, 35, 0, 52, 0x01];
    const header = (block.length << 3) | (2 << 1) | 1;
    const packed = Buffer.from([...magic, 0, 0x38, header & 0xff, header >> 8, 0, ...block]);
    expect(refusal(4, packed).code).toBe('KAFKA_CORRUPT_BATCH');
    expect(unpack(4, Buffer.from([...magic, 0, 0x38, ...abc]), 100).toString()).toBe('abc');
  }, 60_000);

  test('a declared size over the limit is believed at once', () => {
    const packed = Buffer.from([...magic, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, ...abc]);
    expect(refusal(4, packed).code).toBe('KAFKA_BATCH_TOO_LARGE');
  });
});

test.each([5, 6, 7])('codec %i is unknown', (codecId) => {
  expect(refusal(codecId, Buffer.from('x'))).toMatchObject({ code: 'KAFKA_CODEC_UNSUPPORTED' });
});
