import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';
import { unpackGzip } from './gzip.ts';
import { unpackLz4 } from './lz4.ts';
import { unpackSnappy } from './snappy.ts';
import { unpackZstd } from './zstd.ts';

interface Codec {
  readonly name: string;
  readonly unpack: (packed: Buffer, bytesMax: number) => Buffer;
}

/** By Kafka's codec id (bits 0 to 2 of a record batch's attributes). Id 0 is "not compressed" and no codec. */
const codecs: readonly (Codec | undefined)[] = [
  undefined,
  { name: 'gzip', unpack: unpackGzip },
  { name: 'snappy', unpack: unpackSnappy },
  { name: 'lz4', unpack: unpackLz4 },
  { name: 'zstd', unpack: unpackZstd },
];

/**
 * Unpacks the records of one batch. Every codec finds out that the result would exceed `bytesMax` before it allocates
 * that much. Throws KAFKA_CODEC_UNSUPPORTED, KAFKA_BATCH_TOO_LARGE or KAFKA_CORRUPT_BATCH; the place is the caller's to add.
 */
export function unpack(codecId: number, packed: Buffer, bytesMax: number): Buffer {
  const codec = codecs[codecId];
  if (codec === undefined) {
    throw new TidemarkError(
      'KAFKA_CODEC_UNSUPPORTED',
      `it is compressed with codec ${codecId}, which tidemark does not know`,
    );
  }
  // Kafka's own emptied batches may carry a codec without a single byte of its format.
  if (packed.length === 0) return packed;
  try {
    return codec.unpack(packed, bytesMax);
  } catch (error) {
    if (isTidemarkError(error)) throw error;
    throw new TidemarkError('KAFKA_CORRUPT_BATCH', `it does not unpack as ${codec.name}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
