import type { ConsumerGroupState, GroupDescription, GroupProtocol } from '../../kafka/index.ts';
import { comparePartitions } from '../../model/index.ts';
import type { GroupMember } from './groupMember.ts';

/** A group as its coordinator describes it to an operator. */
export function describeGroup(
  groupId: string,
  spoken: GroupProtocol,
  isRebalancing: boolean,
  members: readonly GroupMember[],
): GroupDescription {
  const protocol = spoken === 'consumer' ? 'consumer' : 'classic';
  const described = members.map(({ memberId, instanceId, client, target, owned }) => {
    // A classic coordinator knows what the leader has handed in; under KIP-848 it knows what each member holds.
    const has = protocol === 'consumer' ? [...owned.values()] : isRebalancing ? [] : target;
    const assignment = [...has].sort(comparePartitions);
    return { memberId, instanceId, clientId: client, clientHost: '/127.0.0.1', assignment };
  });
  return { groupId, protocol, state: stateOf(protocol, isRebalancing, members), members: described };
}

function stateOf(
  protocol: GroupDescription['protocol'],
  isRebalancing: boolean,
  members: readonly GroupMember[],
): ConsumerGroupState {
  if (members.length === 0) return 'Empty';
  if (protocol === 'classic') return isRebalancing ? 'PreparingRebalance' : 'Stable';
  return members.every(hasItsShare) ? 'Stable' : 'Reconciling';
}

function hasItsShare({ target, owned }: GroupMember): boolean {
  return owned.size === target.length;
}
