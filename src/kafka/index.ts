export {
  addressText,
  type BrokerAddress,
  type KafkaClientOptions,
  type KafkaSaslOptions,
  type KafkaTlsOptions,
} from './clientOptions.ts';
export { createDriver } from './createDriver.ts';
export type {
  CommittedOffset,
  DriverCapabilities,
  EpochEndOffset,
  Fetcher,
  FetcherOptions,
  FollowStart,
  KafkaDriver,
  PartitionStream,
  TopicDescription,
} from './driver.ts';
export { readRange } from './readRange.ts';
