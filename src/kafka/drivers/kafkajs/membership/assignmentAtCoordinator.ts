import { TidemarkError } from '../../../../errors.ts';
import type { TopicPartition } from '../../../../model/index.ts';
import { decodeConsumerAssignment, describeGroupRequest } from '../../../protocol/index.ts';
import type { Cluster } from '../cluster.ts';
import { askCoordinator } from '../groupOffsets.ts';
import { groupFailure } from './membershipFailures.ts';

/**
 * What the coordinator has for a member; undefined when it has no such member. A group that rebalances has nothing for
 * anybody: it is asked again until it is stable, and not being stable is a retriable error when `requestTimeoutMs` is over.
 */
export function assignmentAtCoordinator(
  cluster: Cluster,
  groupId: string,
  memberId: () => string | undefined,
): Promise<TopicPartition[] | undefined> {
  return cluster.retrying(async () => {
    const group = await askCoordinator(cluster, groupId, describeGroupRequest(groupId));
    if (group.errorCode !== 0) throw groupFailure(group.errorCode, groupId, 'describe');
    const id = memberId();
    const member = group.members.find((candidate) => candidate.memberId === id);
    if (member === undefined) return undefined;
    if (group.state === 'Stable') return decodeConsumerAssignment(member.assignment);
    throw new TidemarkError('KAFKA_REQUEST_FAILED', `Group ${groupId} is rebalancing (${group.state})`, {
      retriable: true,
      foreignCode: 'REBALANCE_IN_PROGRESS',
    });
  });
}
