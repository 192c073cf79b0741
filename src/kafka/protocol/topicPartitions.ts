import type { TopicPartition } from '../../model/index.ts';

/** Items grouped by topic, as most requests want them. Both orders are kept. */
export function byTopic<P extends TopicPartition>(items: readonly P[]): [topic: string, items: P[]][] {
  const groups = new Map<string, P[]>();
  for (const item of items) {
    const group = groups.get(item.topic);
    if (group === undefined) groups.set(item.topic, [item]);
    else group.push(item);
  }
  return [...groups];
}
