import { isTidemarkError, TidemarkError } from '../../../errors.ts';
import { comparePartitions, type TopicPartition } from '../../../model/index.ts';
import { type CoordinatedBy, consumerGroupState, type GroupDescription, type GroupSummary } from '../../groups.ts';
import {
  brokerErrorCodes,
  consumerGroupDescribeRequest,
  decodeConsumerAssignment,
  describeGroupRequest,
  type ListedGroup,
  listGroupsRequest,
  malformedAnswer,
} from '../../protocol/index.ts';
import { brokerFailure } from '../../reading/index.ts';
import type { Cluster } from './cluster.ts';
import { askCoordinator } from './groupOffsets.ts';

/** Every consumer group, by group id. Each broker knows those that it coordinates, so all are asked. */
export function consumerGroups(cluster: Cluster): Promise<GroupSummary[]> {
  return cluster.retrying(async () => {
    await cluster.refresh([]);
    const lists = await Promise.all(cluster.metadata.addresses.map((address) => groupsOf(cluster, address)));
    // A group whose coordinator moves meanwhile can be on two lists.
    const found = new Map(lists.flat().map((group) => [group.groupId, group]));
    return [...found.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
  });
}

async function groupsOf(cluster: Cluster, address: { host: string; port: number }): Promise<GroupSummary[]> {
  const { errorCode, groups } = await cluster.ask(address, listGroupsRequest()).catch((error: unknown) => {
    if (isTidemarkError(error, 'KAFKA_UNSUPPORTED_BROKER')) return cluster.ask(address, listGroupsRequest(4));
    throw error;
  });
  if (errorCode !== 0) throw brokerFailure(errorCode, { action: 'list its groups' });
  return groups.filter(isOfConsumers).map(({ groupId, state, type }) => {
    return { groupId, protocol: protocolOf(type), state: consumerGroupState(state) };
  });
}

/** Whoever commits without joining makes a group without a type; Kafka's tools count it among those of consumers. */
function isOfConsumers({ protocolType }: Pick<ListedGroup, 'protocolType'>): boolean {
  return protocolType === 'consumer' || protocolType === '';
}

function protocolOf(type: string): CoordinatedBy {
  return type.toLowerCase() === 'consumer' ? 'consumer' : 'classic';
}

/** A group as its coordinator has it. Asked in the new protocol first: in the classic one a group of the new is `Dead`. */
export function describedGroup(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  return cluster.retrying(async () => (await newGroup(cluster, groupId)) ?? classicGroup(cluster, groupId));
}

/** Undefined where there is no group of KIP-848 by that name, or none at all on this broker. */
async function newGroup(cluster: Cluster, groupId: string): Promise<GroupDescription | undefined> {
  const request = consumerGroupDescribeRequest(groupId);
  const answer = await askCoordinator(cluster, groupId, request).catch((error: unknown) => {
    if (isTidemarkError(error, 'KAFKA_UNSUPPORTED_BROKER')) return undefined;
    throw error;
  });
  const { GROUP_ID_NOT_FOUND, UNSUPPORTED_VERSION } = brokerErrorCodes;
  if (answer === undefined || answer.errorCode === GROUP_ID_NOT_FOUND || answer.errorCode === UNSUPPORTED_VERSION) {
    return undefined;
  }
  if (answer.errorCode !== 0) throw refused(answer.errorCode, groupId);
  const members = answer.members.map(({ memberId, instanceId, clientId, clientHost, partitions }) => ({
    ...{ memberId, instanceId: instanceId ?? undefined, clientId, clientHost },
    assignment: [...partitions].sort(comparePartitions),
  }));
  return { groupId, protocol: 'consumer', state: consumerGroupState(answer.state), members };
}

async function classicGroup(cluster: Cluster, groupId: string): Promise<GroupDescription> {
  const answer = await askCoordinator(cluster, groupId, describeGroupRequest(groupId));
  if (answer.errorCode !== 0) throw refused(answer.errorCode, groupId);
  if (!isOfConsumers(answer)) throw notOfConsumers(groupId, answer.protocolType);
  const members = answer.members.map(({ memberId, instanceId, clientId, clientHost, assignment }) => ({
    ...{ memberId, instanceId: instanceId ?? undefined, clientId, clientHost },
    assignment: assignmentIn(assignment, groupId, memberId).sort(comparePartitions),
  }));
  return { groupId, protocol: 'classic', state: consumerGroupState(answer.state), members };
}

/** What the members have handed to each other is their business: the broker does not look at it. */
function assignmentIn(bytes: Buffer, groupId: string, memberId: string): TopicPartition[] {
  try {
    return decodeConsumerAssignment(bytes);
  } catch (cause) {
    const text = `The assignment of member ${memberId} of group ${groupId} cannot be read`;
    throw new TidemarkError('KAFKA_REQUEST_FAILED', text, {
      foreignCode: malformedAnswer,
      hint: 'Its client library writes assignments in another way than Kafka’s own consumers: ask that library.',
      cause,
    });
  }
}

function notOfConsumers(groupId: string, protocolType: string): TidemarkError {
  return new TidemarkError(
    'GROUP_PROTOCOL_CONFLICT',
    `Group ${groupId} is not a group of consumers: its members speak ${protocolType}`,
    { hint: 'Check the name of the group.' },
  );
}

function refused(code: number, groupId: string): TidemarkError {
  return brokerFailure(code, { action: `describe group ${groupId}`, groupId });
}
