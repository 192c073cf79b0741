import type { GroupProtocol } from '../../kafka/index.ts';

/** A member of a group as a test sees it. */
export interface GroupMemberState {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  /** Name of its driver. */
  readonly client: string;
  /** What the coordinator counts as its own, as `topic-partition`. */
  readonly partitions: readonly string[];
}

/** A consumer group as a test sees it. */
export interface GroupState {
  readonly state: 'empty' | 'rebalancing' | 'stable';
  readonly protocol: GroupProtocol | undefined;
  readonly generation: number;
  readonly members: readonly GroupMemberState[];
}
