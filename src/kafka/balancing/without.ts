import { partitionKey, type TopicPartition } from '../../model/index.ts';

/** The partitions of a list that are not in another. */
export function without(partitions: readonly TopicPartition[], others: readonly TopicPartition[]): TopicPartition[] {
  const keys = new Set(others.map(partitionKey));
  return partitions.filter((partition) => !keys.has(partitionKey(partition)));
}
