import { type PartitionKey, partitionKey, partitionName, type TopicPartition } from '../../../model/index.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import {
  type BrokerAnswer,
  type BrokerRequest,
  brokerErrorCodes,
  findCoordinatorRequest,
  offsetCommitRequest,
  offsetDeleteRequest,
  offsetFetchRequest,
} from '../../protocol/index.ts';
import { brokerFailure, groupActive } from '../../reading/index.ts';
import type { Cluster } from './cluster.ts';

/** What a group with members answers to a stranger's commit, and to a deletion. */
const membersOnly: readonly number[] = [
  brokerErrorCodes.ILLEGAL_GENERATION,
  brokerErrorCodes.UNKNOWN_MEMBER_ID,
  brokerErrorCodes.REBALANCE_IN_PROGRESS,
];
/** What is said of a topic that does not exist, by whose name no offset can be kept either. */
const isGone: readonly number[] = [
  brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION,
  brokerErrorCodes.INVALID_TOPIC_EXCEPTION,
];
const fromOutside = 'take offsets from outside';
const inUse: readonly number[] = [brokerErrorCodes.NON_EMPTY_GROUP, brokerErrorCodes.GROUP_SUBSCRIBED_TO_TOPIC];

/**
 * Offsets a group has committed, of the topics or of all. Waits while a transaction is about to change one of them, or to
 * write the first one of a partition: of that the group's list says nothing, so whoever is missing there is asked for by name.
 */
export function groupOffsets(
  cluster: Cluster,
  groupId: string,
  topics: readonly string[] | undefined,
): Promise<CommittedOffset[]> {
  return cluster.retrying(async () => {
    const listed = await fetchOffsets(cluster, groupId, topics);
    const found = new Set(listed.map(partitionKey));
    const missing = await partitionsWithout(cluster, groupId, topics, found);
    return missing.length === 0 ? listed : [...listed, ...(await fetchOffsets(cluster, groupId, topics, missing))];
  });
}

async function fetchOffsets(
  cluster: Cluster,
  groupId: string,
  topics: readonly string[] | undefined,
  partitions?: readonly TopicPartition[],
): Promise<CommittedOffset[]> {
  const action = `read the offsets of group ${groupId}`;
  const answer = await askCoordinator(cluster, groupId, offsetFetchRequest(groupId, partitions));
  if (answer.errorCode !== 0) throw brokerFailure(answer.errorCode, { action, groupId });
  const committed: CommittedOffset[] = [];
  for (const { topic, partition, offset, metadata, errorCode } of answer.offsets) {
    if (topics?.includes(topic) === false) continue;
    if (errorCode !== 0) throw brokerFailure(errorCode, { action, groupId, topic, partition });
    // Members that are librdkafka under Node write a zero byte at the end, and do not see it themselves.
    if (offset >= 0n) committed.push({ topic, partition, offset, metadata: metadata.replace(/\0$/, '') });
  }
  return committed;
}

/** Partitions of the topics, or of the cluster, that are not among those found. */
async function partitionsWithout(
  cluster: Cluster,
  groupId: string,
  topics: readonly string[] | undefined,
  found: ReadonlySet<PartitionKey>,
): Promise<TopicPartition[]> {
  if (topics?.length === 0) return [];
  const described = await cluster.refresh(topics ?? null);
  return described.flatMap(({ topic, errorCode, partitions, isInternal }) => {
    // Of a topic without the right to see it no offset is told: that is not the same as none.
    if (errorCode !== 0 && !isGone.includes(errorCode)) {
      throw brokerFailure(errorCode, { action: `read the offsets of group ${groupId}`, topic, groupId });
    }
    if (isInternal && topics === undefined) return [];
    return partitions.map(({ partition }) => ({ topic, partition })).filter((of) => !found.has(partitionKey(of)));
  });
}

/**
 * Commits offsets of a group, as the member or, without one, from outside: then it must have no members, or it is GROUP_ACTIVE.
 * Committing the same offsets again is harmless, so it is retried whole.
 */
export function commitGroupOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly CommittedOffset[],
  member?: { readonly memberId: string; readonly generation: number },
): Promise<void> {
  const action = `commit offsets of group ${groupId}`;
  return cluster.retrying(async () => {
    const { results } = await askCoordinator(cluster, groupId, offsetCommitRequest(groupId, offsets, member));
    for (const { topic, partition, errorCode } of results) {
      if (errorCode === 0) continue;
      if (member === undefined && membersOnly.includes(errorCode)) throw groupActive(errorCode, groupId, fromOutside);
      throw brokerFailure(errorCode, { action, groupId, topic, partition });
    }
  });
}

/** Deletes offsets of a group. Deleting them again is harmless, so it is retried whole. */
export function deleteGroupOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  return cluster.retrying(async () => {
    const answer = await askCoordinator(cluster, groupId, offsetDeleteRequest(groupId, partitions));
    if (answer.errorCode === brokerErrorCodes.GROUP_ID_NOT_FOUND) return;
    if (inUse.includes(answer.errorCode)) throw groupActive(answer.errorCode, groupId, 'delete offsets');
    if (answer.errorCode !== 0) {
      throw brokerFailure(answer.errorCode, { action: `delete offsets of group ${groupId}`, groupId });
    }
    for (const result of answer.results) {
      const { topic, partition, errorCode } = result;
      if (errorCode === 0) continue;
      const action = `delete the offset of ${partitionName(result)}`;
      if (inUse.includes(errorCode)) throw groupActive(errorCode, groupId, action, result);
      throw brokerFailure(errorCode, { action: `${action} of group ${groupId}`, groupId, topic, partition });
    }
  });
}

/** Sends a request to the coordinator of a group, whoever that is now. */
export async function askCoordinator<A extends BrokerAnswer>(
  cluster: Cluster,
  groupId: string,
  request: BrokerRequest<A>,
): Promise<A> {
  const { errorCode, host, port } = await cluster.askAny(findCoordinatorRequest(groupId));
  if (errorCode !== 0) throw brokerFailure(errorCode, { action: `find the coordinator of group ${groupId}`, groupId });
  return cluster.ask({ host, port }, request);
}
