import { TidemarkError } from '../errors.ts';
import {
  type PartitionBounds,
  type PartitionKey,
  partitionKey,
  partitionName,
  type ResetPolicy,
  type TopicPartition,
} from '../model/index.ts';
import type { FirstPosition } from './store.ts';

/** A partition without a row in the ledger. */
export interface NewPartition extends TopicPartition {
  readonly topicId: string;
  readonly bounds: PartitionBounds;
  /** Other partitions of its topic have rows: it was added to the topic later. */
  readonly topicIsKnown: boolean;
}

export interface FirstPositionRules {
  readonly explicit: ReadonlyMap<PartitionKey, bigint>;
  /** Offsets a consumer group committed, where they were asked for. */
  readonly group: ReadonlyMap<PartitionKey, bigint>;
  readonly reset: ResetPolicy;
}

/**
 * Where partitions begin that the ledger does not know: explicit offsets, else the group's, else the reset policy. A partition
 * that was added to a known topic begins at its log start whatever the policy: what was produced before it was noticed
 * counts too. Throws NO_START_OFFSET naming every partition that policy `fail` leaves without one.
 */
export function planFirstPositions(
  partitions: readonly NewPartition[],
  rules: FirstPositionRules,
): readonly FirstPosition[] {
  const without: NewPartition[] = [];
  const positions = partitions.flatMap((partition) => {
    const nextOffset = startOf(partition, rules);
    if (nextOffset === undefined) {
      without.push(partition);
      return [];
    }
    const { topic, topicId } = partition;
    return [{ topic, partition: partition.partition, topicId, nextOffset }];
  });
  if (without.length > 0) throw noStart(without);
  return positions;
}

function startOf(partition: NewPartition, { explicit, group, reset }: FirstPositionRules): bigint | undefined {
  const key = partitionKey(partition);
  const { logStartOffset, lastStableOffset } = partition.bounds;
  const given = explicit.get(key);
  if (given !== undefined) return given;
  if (partition.topicIsKnown) return logStartOffset;
  const committed = group.get(key);
  if (committed !== undefined) return committed;
  switch (reset) {
    case 'earliest':
      return logStartOffset;
    case 'latest':
      return lastStableOffset;
    case 'fail':
      return undefined;
  }
}

function noStart(partitions: readonly NewPartition[]): TidemarkError {
  const [first] = partitions;
  const names = partitions.slice(0, 5).map(partitionName).join(', ');
  const more = partitions.length > 5 ? ` and ${partitions.length - 5} more` : '';
  return new TidemarkError(
    'NO_START_OFFSET',
    `The ledger has no offset for ${names}${more}, and source.reset is fail`,
    {
      ...(first === undefined ? {} : { topic: first.topic, partition: first.partition }),
      path: 'source.reset',
      hint: 'Give source.startOffsets, or set source.reset to earliest or latest.',
    },
  );
}
