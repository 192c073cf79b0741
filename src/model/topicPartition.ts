/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Items grouped by topic, as most requests of Kafka want them. Both orders are kept. */
export function byTopic<P extends TopicPartition>(items: readonly P[]): [topic: string, items: P[]][] {
  const groups = new Map<string, P[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group === undefined) groups.set(item.topic, [item]);
    else group.push(item);
  }
  return [...groups];
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
