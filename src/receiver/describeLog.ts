import { comparePartitions, partitionKey, type TopicPartition } from '../model/index.ts';
import type { Entry } from '../wal/index.ts';
import { BlockBook, type HeldBlock } from './blockBook.ts';
import { isReceiverEntry, type LogEntry, readEntry } from './entries.ts';
import { EntryProblem } from './entryFields.ts';

/** What a log holds of one partition. Records are an upper bound where a block comes from Kafka. */
export interface DescribedStream extends TopicPartition {
  readonly blocks: number;
  readonly records: number;
  /** Of the records, as they were received. */
  readonly bytes: number;
  /** Of all its blocks; those that adjoin are one. */
  readonly offsetRanges: readonly { readonly fromOffset: bigint; readonly untilOffset: bigint }[];
  /** In no batch yet, or in one that is not cleaned up. */
  readonly blocksWaiting: number;
  readonly recordsWaiting: number;
  readonly bytesWaiting: number;
  /** Of batches that were cleaned up. */
  readonly blocksDone: number;
  readonly blocksDiscarded: number;
  readonly recordsDiscarded: number;
  /** Of a receiver that numbers its records itself. */
  readonly nextOffset: bigint | undefined;
}

/** What a log of receiver mode holds. */
export interface DescribedLog {
  readonly streams: readonly DescribedStream[];
  /** Those that are not cleaned up. */
  readonly batches: readonly { readonly batchTimeMs: number; readonly blocks: number; readonly records: number }[];
  readonly newestBatchTimeMs: number | undefined;
}

/** An entry that is intact, and cannot be read. */
export interface UnreadableEntry {
  readonly code: EntryProblem['code'];
  readonly index: bigint;
  readonly segment: bigint;
  readonly byteOffset: number;
  readonly what: string;
}

interface Discarded extends TopicPartition {
  readonly index: bigint;
  readonly blocks: number;
  readonly records: number;
}

/** A log for people: takes its entries in order, also where some are missing between them. */
export class LogDescription {
  /** Of a log of other entries all of them. */
  readonly unreadable: UnreadableEntry[] = [];
  readonly #book = new BlockBook(0n);
  readonly #done = new Set<HeldBlock>();
  readonly #discarded: Discarded[] = [];
  #isReceiverLog = false;

  /** Whether anything in it was written by receiver mode. */
  get isReceiverLog(): boolean {
    return this.#isReceiverLog;
  }

  add(entry: Entry): void {
    this.#isReceiverLog ||= isReceiverEntry(entry.payload);
    try {
      this.#apply(readEntry(entry.payload), entry);
    } catch (error) {
      if (!(error instanceof EntryProblem)) throw error;
      const { index, segment, byteOffset } = entry;
      this.unreadable.push({ code: error.code, index, segment, byteOffset, what: `entry ${index}: ${error.message}` });
    }
  }

  /** What lies below the low watermark does not count. */
  describe(lowWatermark: bigint): DescribedLog {
    const discarded = this.#discarded.filter(({ index }) => index >= lowWatermark);
    const partitions = new Map<string, TopicPartition>();
    for (const { blocks } of this.#book.streams.values()) {
      for (const { block } of blocks.values()) {
        if (block.place.index >= lowWatermark) partitions.set(partitionKey(block), block);
      }
    }
    for (const of of [...this.#book.next.values(), ...discarded]) partitions.set(partitionKey(of), of);
    return {
      streams: [...partitions.values()].sort(comparePartitions).map((of) => {
        const isOf = (other: TopicPartition) => partitionKey(other) === partitionKey(of);
        return this.#stream(of, discarded.filter(isOf), lowWatermark);
      }),
      batches: [...this.#book.batches.keys()].map((batchTimeMs) => {
        const blocks = this.#blocksOf(batchTimeMs);
        return { batchTimeMs, blocks: blocks.length, records: sum(blocks, ({ block }) => block.recordCount) };
      }),
      newestBatchTimeMs: this.#book.newestBatchTimeMs,
    };
  }

  #apply(entry: LogEntry, { index, segment, byteOffset, payloadBytes }: Entry): void {
    if (entry.kind === 'cleanup') {
      for (const time of entry.batchTimesMs) for (const held of this.#blocksOf(time)) this.#done.add(held);
    }
    if (entry.kind === 'discard') {
      for (const { topic, partition, blocks: ranges, recordCount: records } of entry.streams) {
        const blocks = sum(ranges, ({ fromIndex, untilIndex }) => Number(untilIndex - fromIndex));
        this.#discarded.push({ index, topic, partition, blocks, records });
      }
    }
    this.#book.apply(entry, { index, segment, byteOffset, payloadBytes });
    // A batch may have them once more, after a ledger that went back in time.
    if (entry.kind === 'allocation') for (const held of this.#blocksOf(entry.batchTimeMs)) this.#done.delete(held);
  }

  #blocksOf(batchTimeMs: number): readonly HeldBlock[] {
    return [...(this.#book.batches.get(batchTimeMs)?.blocks.values() ?? [])].flat();
  }

  #stream(
    { topic, partition }: TopicPartition,
    discarded: readonly Discarded[],
    lowWatermark: bigint,
  ): DescribedStream {
    const held = [...this.#book.blocksOf({ topic, partition })].filter(
      ({ block }) => block.place.index >= lowWatermark,
    );
    const waiting = held.filter((one) => !this.#done.has(one));
    const records = ({ block }: HeldBlock) => block.recordCount;
    const bytes = ({ block }: HeldBlock) => block.payloadBytes;
    return {
      topic,
      partition,
      blocks: held.length,
      records: sum(held, records),
      bytes: sum(held, bytes),
      offsetRanges: offsetRangesOf(held),
      blocksWaiting: waiting.length,
      recordsWaiting: sum(waiting, records),
      bytesWaiting: sum(waiting, bytes),
      blocksDone: held.length - waiting.length,
      blocksDiscarded: sum(discarded, ({ blocks }) => blocks),
      recordsDiscarded: sum(discarded, (one) => one.records),
      nextOffset: this.#book.next.get(partitionKey({ topic, partition }))?.nextOffset,
    };
  }
}

function offsetRangesOf(held: readonly HeldBlock[]): DescribedStream['offsetRanges'] {
  const ranges: { fromOffset: bigint; untilOffset: bigint }[] = [];
  const blocks = held.map(({ block }) => block).sort((a, b) => (a.fromOffset < b.fromOffset ? -1 : 1));
  for (const { fromOffset, untilOffset } of blocks) {
    const last = ranges.at(-1);
    if (last === undefined || fromOffset > last.untilOffset) ranges.push({ fromOffset, untilOffset });
    else if (untilOffset > last.untilOffset) last.untilOffset = untilOffset;
  }
  return ranges;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
