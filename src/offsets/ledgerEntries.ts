import type { RangeCounts, TopicPartition } from '../model/index.ts';

export const rangeKinds = ['batch', 'gap', 'reset', 'base'] as const;
export type RangeKind = (typeof rangeKinds)[number];

/** A row of the history. */
export interface CommittedRange extends TopicPartition {
  readonly seq: bigint;
  readonly incarnation: bigint;
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  readonly counts: Readonly<RangeCounts>;
  readonly owner: string | null;
  readonly ownerEpoch: bigint;
  readonly kind: RangeKind;
  readonly reason: string | null;
  readonly committedAtMs: number;
}

/** An operator's order: `pause` stops a partition, `skip` passes over `[fromOffset, untilOffset)` and leaves a gap. */
export interface Control {
  readonly id: bigint;
  /** null = every topic. */
  readonly topic: string | null;
  /** null = every partition. */
  readonly partition: number | null;
  readonly order: 'pause' | 'skip';
  readonly fromOffset: bigint | null;
  readonly untilOffset: bigint | null;
  readonly reason: string;
  /** Who, as the command line or the caller named itself. */
  readonly orderedBy: string;
  /** ms since 1970. */
  readonly orderedAtMs: number;
}

/** Whether an order is about a partition: it names it, its topic, or nothing and is about all. */
export function concerns({ topic, partition }: Pick<Control, 'topic' | 'partition'>, of: TopicPartition): boolean {
  return (topic ?? of.topic) === of.topic && (partition ?? of.partition) === of.partition;
}
