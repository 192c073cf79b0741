import type { Clock } from '../../../platform/index.ts';
import type { FetcherOptions } from '../../driver.ts';
import type { Failure } from '../../reading/index.ts';
import type { ConfluentClient } from './client.ts';
import type { Reading, Watermarks } from './reading.ts';

/** What the parts of a fetcher (consumer loop, confirmation, survey) know of it. */
export interface FetcherCore {
  readonly client: ConfluentClient;
  readonly clock: Clock;
  readonly limits: FetcherOptions;
  /** Aborted when the fetcher ends. */
  readonly ending: AbortSignal;
  /** Those that are not over. */
  readonly readings: Iterable<Reading>;
  /** The last error that speaks of damaged bytes, until it explains a stall; the library does not say of which partition. */
  damage: unknown;
  /** Something was delivered to some reading. */
  delivered(): void;
  /** Streams can be read now, or have room again. */
  changed(): void;
  /** The library reports an error; it does not say about which partition. */
  complained(error: unknown): void;
  /** Something is wrong with one stream: it ends, or shows what is being retried. */
  failed(reading: Reading, failure: Failure): void;
  /** Watermarks that came with the newest fetch of a partition. */
  watermarks(reading: Reading): Watermarks | undefined;
}
