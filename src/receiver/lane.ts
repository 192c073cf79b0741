import type { RecycledMemory } from '../kafka/records/index.ts';
import type { PartitionBounds, PartitionKey, TopicPartition } from '../model/index.ts';
import type { HeldClaim } from '../offsets/index.ts';
import type { Clock } from '../platform/index.ts';
import type { DiscardCause, EventHub } from '../telemetry/index.ts';
import type { LoggedBlock } from './block.ts';
import type { BlockQueue } from './blockQueue.ts';
import type { BlockTracker } from './blockTracker.ts';
import type { RateLimiter } from './rateLimiter.ts';

/** The way of one partition's records from where they are received to the blocks that wait for their commit. */
export interface Lane extends TopicPartition {
  readonly key: PartitionKey;
  readonly queue: BlockQueue;
  /** Why nothing more comes; a plan must reach the reader for it to be told. */
  readonly error: Error | undefined;
  /** What is being tried again now. */
  readonly retrying: Error | undefined;
  readonly bounds: PartitionBounds | undefined;
  /** The partition goes on under a fresh claim of ours. */
  reclaimed(held: HeldClaim): void;
  /** Offsets below `nextOffset` are committed. */
  committed(nextOffset: bigint): void;
  /** Goes on from `offset`, wherever that is. */
  seek(offset: bigint): void;
  /** Takes nothing in any more; resolves when what was taken in is durable. */
  endIntake(): Promise<void>;
  /** The partition is given up; `isFenced`: another owner has it. */
  close(isFenced?: boolean): void;
  /** The process ends: what waits stays in the log, for a next start that finds its own claim in the row. */
  end(): void;
}

/** What all lanes share. */
export interface LaneSurroundings {
  readonly tracker: BlockTracker;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly events: EventHub;
  /** For the blocks that wait. */
  readonly memory: RecycledMemory;
  readonly blockIntervalMs: number;
  readonly blockBytesMax: number;
  /** How much of one lane may wait: its share of blocksWaitingMax and bytesWaitingMax. */
  share(): { readonly blocks: number; readonly bytes: number };
  /** A plan could have a different result. */
  onReady(): void;
  /** A block could not be made durable, and is tried again or not; `undefined` = the log takes blocks. */
  onLog(error: unknown): void;
}

/** Whether a lane has its share of what may wait. */
export function hasRoom(
  queue: { readonly blocks: number; readonly bytes: number },
  generator: { readonly waitingBlocks: number; readonly waitingBytes: number },
  on: LaneSurroundings,
): boolean {
  const { blocks, bytes } = on.share();
  return queue.blocks + generator.waitingBlocks < blocks && queue.bytes + generator.waitingBytes < bytes;
}

/** Tells that a block is durable. */
export function announce(block: LoggedBlock, events: EventHub): void {
  const { topic, partition, blockId, fromOffset, untilOffset, recordCount, payloadBytes } = block;
  events.emit('blockLogged', {
    topic,
    partition,
    blockId,
    fromOffset,
    untilOffset,
    records: recordCount,
    bytes: payloadBytes,
  });
}

/** Drops blocks that will never be committed: says so in the log, and to whoever listens. What the log does not hear now it finds out at the next claim. */
export function discard(
  blocks: readonly LoggedBlock[],
  cause: DiscardCause,
  reason: string,
  lane: TopicPartition,
  on: LaneSurroundings,
): void {
  // Given up, and claimed again before the log has heard of it: counted once.
  const leaving = blocks.filter((block) => !on.tracker.isLeaving(block));
  if (leaving.length === 0) return;
  const records = leaving.reduce((sum, { recordCount }) => sum + recordCount, 0);
  const { topic, partition } = lane;
  on.events.emit('blocksDiscarded', { topic, partition, blocks: leaving.length, records, cause, reason });
  on.tracker.discard(leaving, reason).catch((error: unknown) => on.onLog(error));
}
