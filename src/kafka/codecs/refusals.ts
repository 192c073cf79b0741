import { createRequire } from 'node:module';
import { TidemarkError } from '../../errors.ts';

const require = createRequire(import.meta.url);

/** The packed bytes break the rules of their format. */
export function malformed(format: string, what: string): TidemarkError {
  return new TidemarkError('KAFKA_CORRUPT_BATCH', `it does not unpack as ${format}: ${what}`);
}

/** The packed bytes stand for more than `bytesMax`. */
export function tooLarge(format: string, bytesMax: number): TidemarkError {
  return new TidemarkError('KAFKA_BATCH_TOO_LARGE', `its ${format} data unpacks to more than ${bytesMax} bytes`, {
    hint: 'Raise batchBytesMax if a batch of that size is expected',
  });
}

/**
 * Loads a codec's package when the first batch needs it: a platform without that binary can still read everything else.
 * By `require`, because a cursor cannot wait.
 */
export function loadCodec<T>(packageName: string): T {
  try {
    return require(packageName) as T;
  } catch (cause) {
    throw new TidemarkError('KAFKA_CODEC_UNSUPPORTED', `the package ${packageName}, which unpacks it, does not load`, {
      hint: `Install ${packageName} together with its binary for this platform`,
      cause,
    });
  }
}
