import { type PartitionKey, partitionKey, type TopicPartition } from '../model/index.ts';
import type { EntryPlace } from '../wal/index.ts';
import type { LoggedBlock } from './block.ts';
import type {
  AllocationEntry,
  BlockEntry,
  CleanupEntry,
  DiscardEntry,
  EntryRange,
  LogEntry,
  NextOffset,
} from './entries.ts';

/** A block that the log holds, and what became of it. One that is not finished is in a batch or waits for one: none is lost. */
export interface HeldBlock {
  /** Another one after an adoption. */
  block: LoggedBlock;
  /** Of a batch that is not cleaned up. */
  inBatch: boolean;
  /** Undefined before it is finished. By a clock that is never set. */
  finishedAtMs: number | undefined;
}

export interface HeldBatch {
  readonly batchTimeMs: number;
  readonly blocks: Map<PartitionKey, readonly HeldBlock[]>;
}

/** The newest snapshot in the log. */
export interface Snapshot {
  /** Undefined when there is none. */
  readonly index: bigint | undefined;
  /** Entries below it may go as far as the snapshot goes. */
  readonly coveredUntil: bigint;
}

interface HeldStream {
  /** By entry index, in its order. */
  readonly blocks: Map<bigint, HeldBlock>;
}

/**
 * What the entries of a log come to. Memory follows the log: an entry is applied when it is durable, and a recovery applies
 * the same entries, so both lead to the same books but for what is finished, which no entry says of a single block.
 */
export class BlockBook {
  readonly streams = new Map<PartitionKey, HeldStream>();
  /** Not cleaned up, by time. */
  readonly batches = new Map<number, HeldBatch>();
  readonly next = new Map<PartitionKey, NextOffset>();
  newestBatchTimeMs: number | undefined;
  snapshot: Snapshot;
  readonly waiting = { blocks: 0, bytes: 0 };

  constructor(firstIndex: bigint) {
    this.snapshot = { index: undefined, coveredUntil: firstIndex };
  }

  apply(entry: LogEntry, place: EntryPlace): void {
    switch (entry.kind) {
      case 'block':
        this.add(entry, place);
        break;
      case 'allocation':
        this.#allocate(entry);
        break;
      case 'cleanup':
        this.#cleanUp(entry, place.index);
        break;
      case 'discard':
        this.#discard(entry);
        break;
      case 'adoption':
        for (const held of this.blocksOf(entry)) {
          if (held.block.claim === entry.fromClaim) held.block = { ...held.block, claim: entry.toClaim };
        }
        break;
    }
  }

  add({ header, payloadBytes }: Omit<BlockEntry, 'kind'>, { index, ...at }: EntryPlace): LoggedBlock {
    const place = { index, segment: at.segment, byteOffset: at.byteOffset, payloadBytes: at.payloadBytes };
    const held: HeldBlock = { block: { ...header, place, payloadBytes }, inBatch: false, finishedAtMs: undefined };
    const key = partitionKey(header);
    const stream = this.streams.get(key) ?? { blocks: new Map() };
    this.streams.set(key, stream);
    stream.blocks.set(index, held);
    this.#count(held, 1);
    const { topic, partition } = header;
    if (header.topicId === '') this.#raise({ topic, partition, nextOffset: header.untilOffset });
    return held.block;
  }

  find(block: LoggedBlock): HeldBlock | undefined {
    return this.streams.get(partitionKey(block))?.blocks.get(block.place.index);
  }

  blocksOf(stream: TopicPartition): Iterable<HeldBlock> {
    return this.streams.get(partitionKey(stream))?.blocks.values() ?? [];
  }

  /** `finishedAtMs` undefined: it is not, any more. */
  finish(block: LoggedBlock, finishedAtMs: number | undefined): void {
    const held = this.find(block);
    if (held === undefined || (held.finishedAtMs === undefined) === (finishedAtMs === undefined)) return;
    held.finishedAtMs = finishedAtMs;
    this.#count(held, finishedAtMs === undefined ? 1 : -1);
  }

  /** Forgets the block, and its stream when that has no other one. */
  drop(held: HeldBlock): void {
    const key = partitionKey(held.block);
    const stream = this.streams.get(key);
    if (stream?.blocks.delete(held.block.place.index) !== true) return;
    if (held.finishedAtMs === undefined) this.#count(held, -1);
    if (stream.blocks.size === 0) this.streams.delete(key);
  }

  #allocate({ batchTimeMs, streams }: AllocationEntry): void {
    const blocks = new Map<PartitionKey, readonly HeldBlock[]>();
    for (const stream of streams) {
      const taken = inRanges(this.blocksOf(stream), stream.blocks).filter(isUnallocated);
      for (const held of taken) held.inBatch = true;
      blocks.set(partitionKey(stream), taken);
    }
    this.batches.set(batchTimeMs, { batchTimeMs, blocks });
    this.#passTime(batchTimeMs);
  }

  #cleanUp({ batchTimesMs, newestBatchTimeMs, next, coveredUntil }: CleanupEntry, index: bigint): void {
    for (const time of batchTimesMs) {
      for (const held of [...(this.batches.get(time)?.blocks.values() ?? [])].flat()) held.inBatch = false;
      this.batches.delete(time);
    }
    if (newestBatchTimeMs !== undefined) this.#passTime(newestBatchTimeMs);
    for (const stream of next) this.#raise(stream);
    this.snapshot = { index, coveredUntil };
  }

  #discard({ streams }: DiscardEntry): void {
    const gone = new Set<HeldBlock>();
    for (const stream of streams) {
      for (const held of inRanges(this.blocksOf(stream), stream.blocks)) gone.add(held);
    }
    for (const held of gone) this.drop(held);
    for (const { blocks } of this.batches.values()) {
      for (const [key, list] of blocks) {
        blocks.set(
          key,
          list.filter((held) => !gone.has(held)),
        );
      }
    }
  }

  #raise(stream: NextOffset): void {
    const key = partitionKey(stream);
    if (stream.nextOffset > (this.next.get(key)?.nextOffset ?? -1n)) this.next.set(key, stream);
  }

  #passTime(batchTimeMs: number): void {
    this.newestBatchTimeMs = Math.max(batchTimeMs, this.newestBatchTimeMs ?? batchTimeMs);
  }

  #count({ block }: HeldBlock, sign: 1 | -1): void {
    this.waiting.blocks += sign;
    this.waiting.bytes += sign * block.payloadBytes;
  }
}

/** No batch has it, and one should. */
export function isUnallocated({ inBatch, finishedAtMs }: HeldBlock): boolean {
  return !inBatch && finishedAtMs === undefined;
}

/** The blocks whose entries lie in the ranges. Both rise; a range may name more than there is. */
function inRanges(blocks: Iterable<HeldBlock>, ranges: readonly EntryRange[]): readonly HeldBlock[] {
  const found: HeldBlock[] = [];
  let at = 0;
  for (const held of blocks) {
    const { index } = held.block.place;
    while (index >= (ranges[at]?.untilIndex ?? index + 1n)) at += 1;
    const range = ranges[at];
    if (range === undefined) break;
    if (index >= range.fromIndex) found.push(held);
  }
  return found;
}

/** Blocks of one or more streams as entries name them: by stream, in their order, neighbours as one range. */
export function namedBlocks(blocks: Iterable<LoggedBlock>): DiscardEntry['streams'] {
  const byStream = new Map<PartitionKey, LoggedBlock[]>();
  for (const block of blocks) {
    const list = byStream.get(partitionKey(block));
    if (list === undefined) byStream.set(partitionKey(block), [block]);
    else list.push(block);
  }
  return [...byStream.values()].flatMap((list) => {
    const [first] = list;
    if (first === undefined) return [];
    const recordCount = list.reduce((sum, block) => sum + block.recordCount, 0);
    return { topic: first.topic, partition: first.partition, blocks: rangesOf(list), recordCount };
  });
}

export function rangesOf(blocks: Iterable<LoggedBlock>): readonly EntryRange[] {
  const ranges: { fromIndex: bigint; untilIndex: bigint }[] = [];
  const indexes = Array.from(blocks, ({ place }) => place.index).sort((a, b) => (a < b ? -1 : 1));
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last !== undefined && index <= last.untilIndex) last.untilIndex = index + 1n;
    else ranges.push({ fromIndex: index, untilIndex: index + 1n });
  }
  return ranges;
}
