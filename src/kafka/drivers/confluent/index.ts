import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { KafkaDriver } from '../../driver.ts';
import { ConfluentDriver } from './driver.ts';
import { loadLibrary } from './library.ts';

/** Throws KAFKA_DRIVER_UNAVAILABLE where the package is missing or cannot be loaded. */
export function createConfluentDriver(options: ResolvedClientOptions): KafkaDriver {
  return new ConfluentDriver(loadLibrary(), options);
}
