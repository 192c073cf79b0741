export { KafkaGroupStore, type KafkaGroupStoreOptions } from './groupStore.ts';
export { kafkaGroupPlace } from './place.ts';
