export {
  addressText,
  type BrokerAddress,
  type KafkaClientOptions,
  type KafkaSaslOptions,
  type KafkaTlsOptions,
  kafkaDrivers,
} from './clientOptions.ts';
export type { CommittedOffset } from './committedOffset.ts';
export { createDriver, type DriverDefinition } from './createDriver.ts';
export type {
  DriverCapabilities,
  EpochEndOffset,
  Fetcher,
  FetcherOptions,
  FollowStart,
  KafkaDriver,
  PartitionStream,
  TopicDescription,
} from './driver.ts';
export { type CommitGroupOffsets, GroupOffsets } from './groupOffsets.ts';
export {
  type ConsumerGroupState,
  type CoordinatedBy,
  consumerGroupState,
  consumerGroupStates,
  type GroupDescription,
  type GroupMemberDescription,
  type GroupSummary,
} from './groups.ts';
export {
  type GroupMembership,
  type GroupProtocol,
  groupProtocols,
  type MembershipCapabilities,
  type MembershipListener,
  type MembershipLoss,
  type MembershipOptions,
} from './membership.ts';
export { readAheadShare } from './readAhead.ts';
export { readRange } from './readRange.ts';
