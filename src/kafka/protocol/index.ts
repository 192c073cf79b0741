export { type ApiRange, apiVersionsRequest, missingApis, releaseOf, requiredApis } from './apiVersions.ts';
export { brokerErrorCodes, brokerErrorKind } from './brokerErrors.ts';
export type { ApiVersion, BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
export { type ConsumerGroupAnswer, consumerGroupDescribeRequest } from './consumerGroupDescribe.ts';
export {
  type ConsumerSubscription,
  decodeConsumerAssignment,
  decodeConsumerSubscription,
  encodeConsumerAssignment,
  encodeConsumerSubscription,
} from './consumerProtocol.ts';
export { type DescribeGroupAnswer, describeGroupRequest } from './describeGroups.ts';
export { type FetchAnswer, type FetchedPartition, type FetchPartition, fetchRequest } from './fetch.ts';
export {
  type GroupErrorAnswer,
  heartbeatRequest,
  type JoinGroupAnswer,
  joinGroupRequest,
  leaveGroupRequest,
  syncGroupRequest,
} from './groupMembership.ts';
export {
  findCoordinatorRequest,
  type OffsetFetchAnswer,
  offsetCommitRequest,
  offsetFetchRequest,
} from './groupOffsets.ts';
export { type ListedGroup, type ListGroupsAnswer, listGroupsRequest } from './listGroups.ts';
export {
  earliestTimestamp,
  type IsolationLevel,
  isolationLevels,
  type ListedOffset,
  latestTimestamp,
  listOffsetsRequest,
} from './listOffsets.ts';
export {
  type BrokerNode,
  type MetadataAnswer,
  metadataRequest,
  type PartitionMetadata,
  type TopicMetadata,
} from './metadata.ts';
export { type OffsetDeleteAnswer, offsetDeleteRequest } from './offsetDelete.ts';
export { type EpochEnd, offsetForLeaderEpochRequest } from './offsetForLeaderEpoch.ts';
export { malformedAnswer, WireReader } from './wireReader.ts';
export { WireWriter } from './wireWriter.ts';
