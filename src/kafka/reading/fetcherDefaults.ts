import type { FetcherOptions } from '../driver.ts';

/** What `FetcherOptions` says of defaults, for every driver. */
export const fetcherDefaults: FetcherOptions = {
  fetchBytesMax: 1024 * 1024,
  bufferedBytesMax: 4 * 1024 * 1024,
  fetchWaitMs: 500,
  batchBytesMax: 128 * 1024 * 1024,
};
