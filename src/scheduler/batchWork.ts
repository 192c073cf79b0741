import { OffsetRange, type PartitionKey, partitionKey } from '../model/index.ts';
import type { Slot } from './slot.ts';

/** A batch that waits for its turn. */
export interface QueuedBatch {
  readonly timeMs: number;
  readonly plannedAtMs: number;
  readonly ranges: readonly OffsetRange[];
}

/** What one partition has to do in a batch: ranges that follow each other without a gap. */
export interface Work {
  readonly slot: Slot;
  readonly ranges: readonly OffsetRange[];
}

/** The ranges of a plan by partition, empty ones left out: a partition that has no other has none. */
export function byPartition(ranges: readonly OffsetRange[]): ReadonlyMap<PartitionKey, readonly OffsetRange[]> {
  const found = new Map<PartitionKey, OffsetRange[]>();
  for (const range of ranges) {
    const key = partitionKey(range);
    const list = found.get(key) ?? [];
    found.set(key, list);
    if (!range.isEmpty) list.push(range);
  }
  return found;
}

/** Ranges that follow each other, at least one, as one. */
export function joined(ranges: readonly OffsetRange[]): OffsetRange {
  const [first] = ranges as readonly [OffsetRange];
  const last = ranges.at(-1) ?? first;
  return first === last ? first : new OffsetRange(first.topic, first.partition, first.fromOffset, last.untilOffset);
}
