import { type KafkaClientOptions, resolveClientOptions } from './clientOptions.ts';
import type { KafkaDriver } from './driver.ts';

/** A driver that brings itself: a third party's, or the one of an in-memory cluster. */
export interface DriverDefinition {
  createDriver(): KafkaDriver | Promise<KafkaDriver>;
}

/**
 * A driver of the chosen client library, not yet connected. The library is loaded here, so that one that is not
 * chosen need not be installed. Throws CONFIG_INVALID, and KAFKA_DRIVER_UNAVAILABLE for a library that cannot be loaded.
 */
export async function createDriver(options: KafkaClientOptions | DriverDefinition): Promise<KafkaDriver> {
  if ('createDriver' in options) return options.createDriver();
  const resolved = resolveClientOptions(options);
  if (options.driver === 'confluent') {
    const { createConfluentDriver } = await import('./drivers/confluent/index.ts');
    return createConfluentDriver(resolved);
  }
  const { createKafkajsDriver } = await import('./drivers/kafkajs/index.ts');
  return createKafkajsDriver(resolved);
}
