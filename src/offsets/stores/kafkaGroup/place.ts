import type { KafkaDriver } from '../../../kafka/index.ts';
import type { Clock } from '../../../platform/index.ts';
import type { StorePlace } from '../../storePlace.ts';
import { KafkaGroupStore } from './groupStore.ts';

/** The consumer groups of a cluster, as far as their offsets are positions: each stands for a pipeline of its name. */
export function kafkaGroupPlace(driver: KafkaDriver, { clock }: { readonly clock?: Clock } = {}): StorePlace {
  return {
    name: 'consumer groups of Kafka',
    pipelines: async () => (await driver.listGroups()).map(({ groupId }) => groupId).sort(),
    store: (groupId) => new KafkaGroupStore({ driver, groupId, ...(clock === undefined ? {} : { clock }) }),
  };
}
