import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { KafkaDriver } from '../../driver.ts';
import { KafkajsDriver } from './driver.ts';

export function createKafkajsDriver(options: ResolvedClientOptions): KafkaDriver {
  return new KafkajsDriver(options);
}
