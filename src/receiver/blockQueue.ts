import { TidemarkError } from '../errors.ts';
import { firstTimestampMs, storedChunk } from '../kafka/records/index.ts';
import { OffsetRange, type RecordChunk, type TopicPartition } from '../model/index.ts';
import type { LoggedBlock } from './block.ts';

/** A durable block that waits for its commit. */
interface Waiting {
  readonly block: LoggedBlock;
  /** Its records, where they are still in memory; else they are read from the log when the block runs. */
  readonly chunk: RecordChunk | undefined;
  /** Time of the batch it was allocated to. */
  batchTimeMs: number | undefined;
}

/** What a partition has to do in a batch. */
export interface QueuedRanges {
  readonly ranges: readonly OffsetRange[];
  /** undefined: not allocated to a batch yet. */
  readonly batchTimeMs: number | undefined;
}

/**
 * The durable blocks of one partition that are not committed: in offset order, each beginning where the one before ends. Of a block
 * that is committed in part, the rest waits.
 */
export class BlockQueue {
  readonly #of: TopicPartition;
  readonly #readPayload: (block: LoggedBlock) => Promise<Buffer>;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(of: TopicPartition, readPayload: (block: LoggedBlock) => Promise<Buffer>) {
    this.#of = of;
    this.#readPayload = readPayload;
  }

  get blocks(): number {
    return this.#waiting.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Beginning of the first block; undefined when nothing waits. */
  get fromOffset(): bigint | undefined {
    return this.#waiting[0]?.block.fromOffset;
  }

  /** End of the last block; undefined when nothing waits. */
  get untilOffset(): bigint | undefined {
    return this.#waiting.at(-1)?.block.untilOffset;
  }

  push(block: LoggedBlock, chunk: RecordChunk | undefined, batchTimeMs?: number): void {
    const end = this.untilOffset;
    if (end !== undefined && end !== block.fromOffset) throw this.#broken(block.fromOffset, end);
    this.#waiting.push({ block, chunk, batchTimeMs });
    this.#bytes += block.payloadBytes;
  }

  /** Takes off what lies wholly below `nextOffset`. */
  committed(nextOffset: bigint): readonly LoggedBlock[] {
    let count = 0;
    for (const { block } of this.#waiting) {
      if (block.untilOffset > nextOffset) break;
      this.#bytes -= block.payloadBytes;
      count += 1;
    }
    return this.#waiting.splice(0, count).map(({ block, chunk }) => {
      // Whoever still reads it holds a slice of it.
      chunk?.release();
      return block;
    });
  }

  /** Takes everything off. */
  clear(): readonly LoggedBlock[] {
    this.#bytes = 0;
    return this.#waiting.splice(0).map(({ block }) => block);
  }

  allocated(blocks: readonly LoggedBlock[], batchTimeMs: number): void {
    const indexes = new Set(blocks.map(({ place }) => place.index));
    for (const waiting of this.#waiting) {
      if (indexes.has(waiting.block.place.index)) waiting.batchTimeMs = batchTimeMs;
    }
  }

  hasWork(position: bigint): boolean {
    return (this.untilOffset ?? position) > position;
  }

  /** What lies behind `position` of the batch that comes next, one range for each block, none beyond `untilMax`. */
  next(position: bigint, untilMax: bigint | undefined): QueuedRanges {
    const { topic, partition } = this.#of;
    const ranges: OffsetRange[] = [];
    let batchTimeMs: number | undefined;
    for (const { block, batchTimeMs: time } of this.#waiting) {
      if (block.untilOffset <= position) continue;
      if (ranges.length === 0) batchTimeMs = time;
      if (time !== batchTimeMs) break;
      const from = block.fromOffset > position ? block.fromOffset : position;
      const until = untilMax !== undefined && untilMax < block.untilOffset ? untilMax : block.untilOffset;
      if (until <= from) break;
      ranges.push(new OffsetRange(topic, partition, from, until));
    }
    return { ranges, batchTimeMs };
  }

  /** Timestamp of the first record at or after `position`, where its block is in memory. */
  nextTimestampMs(position: bigint): number | undefined {
    const waiting = this.#waiting.find(({ block }) => block.untilOffset > position);
    return waiting?.chunk && firstTimestampMs(waiting.chunk, position);
  }

  /** The records of exactly the range, block by block; ends early where nothing is queued any more. */
  async *read(range: OffsetRange, signal: AbortSignal): AsyncGenerator<RecordChunk> {
    let position = range.fromOffset;
    while (position < range.untilOffset) {
      signal.throwIfAborted();
      const waiting = this.#waiting.find(({ block }) => block.untilOffset > position);
      if (waiting === undefined) return;
      const { block } = waiting;
      if (block.fromOffset > position) throw this.#broken(block.fromOffset, position);
      const until = block.untilOffset < range.untilOffset ? block.untilOffset : range.untilOffset;
      const chunk = waiting.chunk ?? storedChunk(rangeOf(block), await this.#readPayload(block));
      yield chunk.slice(position, until);
      position = until;
    }
  }

  #broken(found: bigint, expected: bigint): TidemarkError {
    const { topic, partition } = this.#of;
    const text = `A block of ${topic}-${partition} begins at ${found}, where ${expected} is next`;
    return new TidemarkError('INVARIANT_BROKEN', text, { topic, partition, offset: expected });
  }
}

export function rangeOf({ topic, partition, fromOffset, untilOffset }: LoggedBlock): OffsetRange {
  return new OffsetRange(topic, partition, fromOffset, untilOffset);
}
