import type { TopicPartition } from '../model/index.ts';

/** The protocol of a group at its coordinator: `classic` is that of `eager` and `cooperative` members, `consumer` that of KIP-848. */
export type CoordinatedBy = 'classic' | 'consumer';

/**
 * States of consumer groups by Kafka's names. `PreparingRebalance` and `CompletingRebalance` are of the classic protocol,
 * `Assigning` and `Reconciling` of KIP-848; a group that does not exist is `Dead`. `Unknown` is what a newer broker says.
 */
export const consumerGroupStates = [
  'Empty',
  'Stable',
  'PreparingRebalance',
  'CompletingRebalance',
  'Assigning',
  'Reconciling',
  'Dead',
  'Unknown',
] as const;
export type ConsumerGroupState = (typeof consumerGroupStates)[number];

/** A consumer group of the cluster. */
export interface GroupSummary {
  readonly groupId: string;
  readonly protocol: CoordinatedBy;
  readonly state: ConsumerGroupState;
}

/** A consumer group as its coordinator has it. */
export interface GroupDescription extends GroupSummary {
  readonly members: readonly GroupMemberDescription[];
}

export interface GroupMemberDescription {
  readonly memberId: string;
  /** `group.instance.id` of a static member. */
  readonly instanceId: string | undefined;
  readonly clientId: string;
  /** Where the broker sees it: `/127.0.0.1`. */
  readonly clientHost: string;
  /** What it has, in order. Of a classic group nothing is known while it rebalances: empty then. */
  readonly assignment: readonly TopicPartition[];
}

/** What a broker calls a state. */
export function consumerGroupState(name: string): ConsumerGroupState {
  return consumerGroupStates.find((state) => state === name) ?? 'Unknown';
}
