export type { KafkaAdmin, TopicOptions } from './admin.ts';
export type { KafkaSecurity } from './security.ts';
export { type KafkaOptions, type KafkaRoute, type KafkaService, kafkaService, startSharedKafka } from './service.ts';
