import { OffsetRange, type PartitionKey } from '../model/index.ts';
import type { ReadyPlan } from '../scheduler/index.ts';
import type { QueuedRanges } from './blockQueue.ts';
import type { Lane } from './lane.ts';

/** A lane that could be given work, and what it has to do behind `position`. */
export interface DueLane {
  readonly lane: Lane;
  readonly position: bigint;
  readonly next: QueuedRanges;
}

/** The oldest batch; without one, what has failed: a range of one offset carries it to where failures are decided. */
export function oldestBatch(due: readonly DueLane[]): ReadyPlan {
  const times = due.flatMap(({ next }) => next.batchTimeMs ?? []);
  if (times.length > 0) {
    const batchTimeMs = Math.min(...times);
    const ranges = due.flatMap(({ next }) => (next.batchTimeMs === batchTimeMs ? next.ranges : []));
    return { ranges, batchTimeMs, lookAgainMs: 0 };
  }
  const failed = due.flatMap(({ lane, position, next }) => {
    const isFailed = lane.error !== undefined && next.ranges.length === 0 && !lane.queue.hasWork(position);
    return isFailed ? [new OffsetRange(lane.topic, lane.partition, position, position + 1n)] : [];
  });
  return { ranges: failed, lookAgainMs: failed.length > 0 ? 0 : undefined };
}

/** Partitions with blocks that no batch has. */
export function unallocated(due: readonly DueLane[]): readonly PartitionKey[] {
  return due.flatMap(({ lane, next }) => (next.ranges.length > 0 && next.batchTimeMs === undefined ? [lane.key] : []));
}
