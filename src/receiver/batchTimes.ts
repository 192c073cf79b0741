import type { PartitionKey } from '../model/index.ts';
import type { BlockTracker } from './blockTracker.ts';

/** Times of the batches that the stream's blocks were allocated to, by entry index: after a restart they keep them. */
export function batchTimesOf(tracker: BlockTracker, stream: PartitionKey): ReadonlyMap<bigint, number> {
  const times = new Map<bigint, number>();
  for (const { batchTimeMs, blocks } of tracker.batches) {
    for (const { place } of blocks.get(stream) ?? []) times.set(place.index, batchTimeMs);
  }
  return times;
}
