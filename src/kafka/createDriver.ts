import { type KafkaClientOptions, resolveClientOptions } from './clientOptions.ts';
import type { KafkaDriver } from './driver.ts';

/**
 * A driver of the chosen client library, not yet connected. The library is loaded here, so that one that is not
 * chosen need not be installed. Throws CONFIG_INVALID.
 */
export async function createDriver(options: KafkaClientOptions): Promise<KafkaDriver> {
  const resolved = resolveClientOptions(options);
  const { createKafkajsDriver } = await import('./drivers/kafkajs/index.ts');
  return createKafkajsDriver(resolved);
}
