import type { FetcherOptions } from './driver.ts';

/** Below it a partition would be read by single record batches. */
const shareBytesMin = 131_072;
const fetchBytesMost = 1_048_576;

/** Shares out what may be read ahead over all partitions; a stream fetches anew while it holds the other half of its share. */
export function readAheadShare(
  bufferedBytesMax: number,
  partitionCount: number,
): Pick<FetcherOptions, 'bufferedBytesMax' | 'fetchBytesMax'> {
  const share = Math.max(shareBytesMin, Math.floor(bufferedBytesMax / Math.max(1, partitionCount)));
  return { bufferedBytesMax: share, fetchBytesMax: Math.min(fetchBytesMost, share / 2) };
}
