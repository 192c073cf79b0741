import type { CommittedOffset } from '../../committedOffset.ts';
import {
  type BrokerAnswer,
  type BrokerRequest,
  findCoordinatorRequest,
  offsetCommitRequest,
  offsetFetchRequest,
} from '../../protocol/index.ts';
import { brokerFailure } from '../../reading/index.ts';
import type { Cluster } from './cluster.ts';

/** Offsets a group has committed for the topics. Waits while a transaction is about to change one of them. */
export function groupOffsets(cluster: Cluster, groupId: string, topics: readonly string[]): Promise<CommittedOffset[]> {
  const action = `read the offsets of group ${groupId}`;
  return cluster.retrying(async () => {
    const answer = await askCoordinator(cluster, groupId, offsetFetchRequest(groupId));
    if (answer.errorCode !== 0) throw brokerFailure(answer.errorCode, { action, groupId });
    const committed: CommittedOffset[] = [];
    for (const { topic, partition, offset, metadata, errorCode } of answer.offsets) {
      if (!topics.includes(topic)) continue;
      if (errorCode !== 0) throw brokerFailure(errorCode, { action, groupId, topic, partition });
      if (offset >= 0n) committed.push({ topic, partition, offset, metadata });
    }
    return committed;
  });
}

/**
 * Commits offsets of a group, as the member or, without one, from outside: then it must have no members. Committing the same
 * offsets again is harmless, so it is retried whole.
 */
export function commitGroupOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly CommittedOffset[],
  member?: { readonly memberId: string; readonly generation: number },
): Promise<void> {
  return cluster.retrying(async () => {
    const { results } = await askCoordinator(cluster, groupId, offsetCommitRequest(groupId, offsets, member));
    for (const { topic, partition, errorCode } of results) {
      if (errorCode === 0) continue;
      throw brokerFailure(errorCode, { action: `commit offsets of group ${groupId}`, groupId, topic, partition });
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
