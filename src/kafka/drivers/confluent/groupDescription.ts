import { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import { type Clock, withDeadline } from '../../../platform/index.ts';
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

const idWithinMs = 1_000;
/** How often a member that has heard nothing yet asks whether it has a share. */
const shareEveryMs = 500;

/**
 * Our place in a group as its coordinator has it. The library does not tell who we are in the group, so the member is
 * found by its client id, which nobody else has.
 */
export class PlaceInGroup {
  readonly #requests: OwnRequests;
  readonly #groupId: string;
  readonly #clientId: string;
  readonly #isConsumer: boolean;
  readonly #clock: Clock;

  constructor(requests: OwnRequests, groupId: string, clientId: string, protocol: GroupProtocol, clock: Clock) {
    this.#requests = requests;
    this.#groupId = groupId;
    this.#clientId = clientId;
    this.#isConsumer = protocol === 'consumer';
    this.#clock = clock;
  }

  /** The member; undefined where there is none. Waits for the end of a rebalance, as long as a request may take. */
  async now(): Promise<OwnMember | undefined> {
    const cluster = await this.#requests.connected();
    const look = this.#isConsumer ? consumerMember : classicMember;
    return cluster.retrying(() => look(cluster, this.#groupId, this.#clientId));
  }

  /** Our member id, for people: without an answer in time the client id stands for it. */
  async id(): Promise<string> {
    const timeout = () => new TidemarkError('KAFKA_REQUEST_FAILED', `no answer within ${idWithinMs} ms`);
    const found = withDeadline(this.#ask(), idWithinMs, this.#clock, timeout);
    return (await found.catch(() => undefined)) ?? this.#clientId;
  }

  /**
   * Under the new protocol a member that gets no partition hears nothing at all. That it is in the group, with nothing, is
   * asked of the coordinator for as long as somebody waits for an answer of either kind.
   */
  async isWithoutShare(isAwaited: () => boolean, end: AbortSignal): Promise<boolean> {
    while (isAwaited()) {
      await this.#clock.sleep(shareEveryMs, end).catch(() => {});
      if (!isAwaited()) return false;
      const member = await this.now().catch(() => undefined);
      if (member?.partitions.length === 0 && member.isSettled) return true;
    }
    return false;
  }

  async #ask(): Promise<string | undefined> {
    const request = this.#isConsumer
      ? consumerGroupDescribeRequest(this.#groupId)
      : describeGroupRequest(this.#groupId);
    const { members } = await askCoordinator<GroupAnswer>(await this.#requests.connected(), this.#groupId, request);
    return members.find(({ clientId }) => clientId === this.#clientId)?.memberId;
  }
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
