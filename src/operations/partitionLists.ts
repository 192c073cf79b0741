import { byTopic, isReceiverTopic, partitionKey, type TopicPartition } from '../model/index.ts';
import type { Choice } from './choice.ts';
import type { PartitionPosition } from './positions.ts';

/** Exactly these partitions. */
export function choiceOfPartitions(of: readonly TopicPartition[]): Choice {
  return byTopic(of).map(([topic, own]) => ({ topic, partitions: new Set(own.map(({ partition }) => partition)) }));
}

/**
 * A warning for each topic of which some partitions get their first position and others none: once it has a row of a topic, a
 * pipeline takes the others for new ones and begins them at their log start, whatever its reset policy.
 */
export function withoutPosition(
  positions: readonly PartitionPosition[],
  given: readonly TopicPartition[],
): readonly string[] {
  const named = new Set(given.map(partitionKey));
  const topics = new Set(given.map(({ topic }) => topic));
  const left = positions.filter((of) => of.row === undefined && topics.has(of.topic) && !named.has(partitionKey(of)));
  return byTopic(left)
    .filter(([topic]) => !isReceiverTopic(topic))
    .map(([topic, own]) => {
      const partitions = own.map(({ partition }) => partition);
      const [noun, verb] = partitions.length === 1 ? ['partition', 'gets'] : ['partitions', 'get'];
      return `${topic}: ${noun} ${listed(partitions)} ${verb} no position: a pipeline with a ledger begins at the log start there`;
    });
}

function listed(partitions: readonly number[]): string {
  const shown = partitions.slice(0, 5).join(', ');
  return partitions.length > 5 ? `${shown} and ${partitions.length - 5} more` : shown;
}
