import { isReceiverTopic, type PartitionKey, partitionKey } from '../model/index.ts';
import type { OffsetStore, StoredOffset } from '../offsets/index.ts';
import type { LoggedBlock } from './block.ts';
import type { BlockTracker } from './blockTracker.ts';
import { discard, type LaneSurroundings } from './lane.ts';

/**
 * Ends what the log holds of partitions that went elsewhere while this process was away, and may never come back: nobody would open
 * them here and find out, and the log would grow behind them for ever. Claims are random and do not come back, so a block whose
 * claim is no longer in its row will never be committed from here. One whose claim still is in the row stays: we may be the next
 * to claim it.
 */
export async function endStrayBlocks(
  isOpen: (stream: PartitionKey) => boolean,
  store: OffsetStore,
  on: LaneSurroundings,
): Promise<void> {
  // Noted before the rows are read: what comes later was received under a claim that is newer than they are.
  const strays = strayBlocks(on.tracker, isOpen);
  if (strays.size === 0) return;
  const topics = new Set([...strays.values()].flatMap((blocks) => blocks.map(({ topic }) => topic)));
  const rows = new Map((await store.read([...topics])).map((row) => [partitionKey(row), row]));
  for (const [stream, blocks] of strays) {
    const row = rows.get(stream);
    if (row !== undefined && !isOpen(stream)) endBlocks(blocks, row, on);
  }
}

function strayBlocks(
  tracker: BlockTracker,
  isOpen: (stream: PartitionKey) => boolean,
): ReadonlyMap<PartitionKey, readonly LoggedBlock[]> {
  const strays = new Map<PartitionKey, readonly LoggedBlock[]>();
  for (const { topic, partition } of tracker.waitingStreams) {
    const stream = partitionKey({ topic, partition });
    if (!isReceiverTopic(topic) && !isOpen(stream)) strays.set(stream, tracker.held(stream));
  }
  return strays;
}

function endBlocks(blocks: readonly LoggedBlock[], row: StoredOffset, on: LaneSurroundings): void {
  const stale = blocks.filter(({ claim }) => claim !== row.claim);
  for (const block of stale) if (block.untilOffset <= row.nextOffset) on.tracker.finish(block);
  const lost = stale.filter(({ untilOffset }) => untilOffset > row.nextOffset);
  discard(lost, 'claim', 'another process has the partition; Kafka has the records', row, on);
}
