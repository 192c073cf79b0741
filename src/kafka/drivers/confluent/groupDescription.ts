import { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import type { GroupProtocol } from '../../membership.ts';
import {
  brokerErrorCodes,
  type ConsumerGroupAnswer,
  consumerGroupDescribeRequest,
  type DescribeGroupAnswer,
  decodeConsumerAssignment,
  describeGroupRequest,
} from '../../protocol/index.ts';
import { brokerFailure } from '../../reading/index.ts';
import type { Cluster } from '../kafkajs/cluster.ts';
import { askCoordinator } from '../kafkajs/groupOffsets.ts';
import type { OwnRequests } from './ownRequests.ts';

type GroupAnswer = ConsumerGroupAnswer | DescribeGroupAnswer;

export interface OwnMember {
  readonly memberId: string;
  readonly partitions: readonly TopicPartition[];
  /** What it has is what it is meant to have. */
  readonly isSettled: boolean;
}

/**
 * A member of a group as its coordinator has it; undefined where it has none. The library does not tell who we are in the
 * group, so the member is found by its client id, which nobody else has. Waits for the end of a rebalance, as long as a
 * request may take.
 */
export async function memberAtCoordinator(
  requests: OwnRequests,
  groupId: string,
  clientId: string,
  protocol: GroupProtocol,
): Promise<OwnMember | undefined> {
  const cluster = await requests.connected();
  const look = protocol === 'consumer' ? consumerMember : classicMember;
  return cluster.retrying(() => look(cluster, groupId, clientId));
}

/** The id of a member, whether its group rebalances or not; undefined where the coordinator has none. Asks once. */
export async function memberIdAtCoordinator(
  requests: OwnRequests,
  groupId: string,
  clientId: string,
  protocol: GroupProtocol,
): Promise<string | undefined> {
  const request = protocol === 'consumer' ? consumerGroupDescribeRequest(groupId) : describeGroupRequest(groupId);
  const { members } = await askCoordinator<GroupAnswer>(await requests.connected(), groupId, request);
  return members.find((member) => member.clientId === clientId)?.memberId;
}

async function consumerMember(cluster: Cluster, groupId: string, clientId: string): Promise<OwnMember | undefined> {
  const group = await askCoordinator(cluster, groupId, consumerGroupDescribeRequest(groupId));
  if (group.errorCode === brokerErrorCodes.GROUP_ID_NOT_FOUND) return undefined;
  if (group.errorCode !== 0) throw refused(group.errorCode, groupId);
  const member = group.members.find((each) => each.clientId === clientId);
  if (member === undefined) return undefined;
  const { memberId, partitions, target } = member;
  return { memberId, partitions, isSettled: target.length === partitions.length };
}

async function classicMember(cluster: Cluster, groupId: string, clientId: string): Promise<OwnMember | undefined> {
  const group = await askCoordinator(cluster, groupId, describeGroupRequest(groupId));
  if (group.errorCode !== 0) throw refused(group.errorCode, groupId);
  const member = group.members.find((each) => each.clientId === clientId);
  if (member === undefined) return undefined;
  if (group.state !== 'Stable') {
    throw new TidemarkError('KAFKA_REQUEST_FAILED', `Group ${groupId} is rebalancing (${group.state})`, {
      retriable: true,
      foreignCode: 'REBALANCE_IN_PROGRESS',
    });
  }
  return { memberId: member.memberId, partitions: decodeConsumerAssignment(member.assignment), isSettled: true };
}

function refused(code: number, groupId: string): TidemarkError {
  return brokerFailure(code, { action: `describe group ${groupId}`, groupId });
}
