/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A map key for a topic partition: what stands behind the last `:` is the partition, so keys never collide. */
export type PartitionKey = `${string}:${number}`;

export function partitionKey(of: TopicPartition): PartitionKey {
  return `${of.topic}:${of.partition}`;
}

/** Kafka's way to write a partition for people: `orders-3`. */
export function partitionName(of: TopicPartition): string {
  return `${of.topic}-${of.partition}`;
}

/** The one order in which rows of several partitions are locked everywhere: by topic (code units), then partition. */
export function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}
