import type { GroupDescription, GroupSummary } from '../../kafka/index.ts';
import type { TopicPartition } from '../../model/index.ts';
import type { GroupOffsets } from './groupOffsets.ts';
import type { Groups } from './groups.ts';
import type { Topics } from './topics.ts';

/** Groups that somebody has joined, and those that only keep offsets, by group id. */
export function listedGroups(groups: Groups, offsets: GroupOffsets): GroupSummary[] {
  const joined = new Set(groups.described.map(({ groupId }) => groupId));
  const others = offsets.groupIds.filter((groupId) => !joined.has(groupId));
  return [...joined, ...others].sort().map((groupId) => {
    const { protocol, state } = describedGroup(groups, offsets, groupId);
    return { groupId, protocol, state };
  });
}

export function describedGroup(groups: Groups, offsets: GroupOffsets, groupId: string): GroupDescription {
  const state = offsets.groupIds.includes(groupId) ? 'Empty' : 'Dead';
  return groups.get(groupId).description ?? { groupId, protocol: 'classic', state, members: [] };
}

/** Deletes what nobody is subscribed to, and throws for the first partition that it may not. */
export function deleteGroupOffsets(
  { topics, groups, offsets }: { readonly topics: Topics; readonly groups: Groups; readonly offsets: GroupOffsets },
  groupId: string,
  partitions: readonly TopicPartition[],
): void {
  const refusals = partitions.flatMap((of) => {
    try {
      topics.partition(of);
      groups.get(groupId).checkDeletion(of);
      offsets.delete(groupId, of);
      return [];
    } catch (error) {
      return [error];
    }
  });
  if (refusals.length > 0) throw refusals[0];
}
