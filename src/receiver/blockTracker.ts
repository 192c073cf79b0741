import type { PartitionKey, TopicPartition } from '../model/index.ts';
import { type Clock, failpoint, Turns } from '../platform/index.ts';
import type { WriteAheadLog } from '../wal/index.ts';
import type { Block, LoggedBlock } from './block.ts';
import { BlockBook, type HeldBatch, isUnallocated, namedBlocks, rangesOf } from './blockBook.ts';
import {
  type AllocationEntry,
  type BookEntry,
  decodeEntry,
  encodeEntry,
  type LaidOutBlock,
  laidOut,
  payloadOf,
} from './entries.ts';
import { appendAbout, type Reserve } from './reserve.ts';
import { Retention } from './retention.ts';

/** What a batch has taken. */
export interface AllocatedBatch {
  readonly batchTimeMs: number;
  /** Every stream that was asked, also without blocks; of each its blocks in order. */
  readonly blocks: ReadonlyMap<PartitionKey, readonly LoggedBlock[]>;
}

/**
 * Knows which blocks are in the log, which batch has them, and which are done (Spark's ReceivedBlockTracker). Whatever it
 * does is logged before it takes effect, and a log that fails leaves everything as it was: every method rejects with the
 * log's error then.
 *
 * A stream is a partition, of Kafka or of a receiver. Everything may be called at any time; what changes allocations runs one
 * after the other. A block is named by its place in the log: an older object of the same block will do.
 */
export class BlockTracker {
  readonly #log: WriteAheadLog;
  readonly #clock: Clock;
  readonly #book: BlockBook;
  readonly #retention: Retention;
  readonly #reserve: Reserve | undefined;
  /** Blocks on their way into the log, the oldest first: each will lie at its index or above. */
  readonly #adding = new Set<{ readonly fromIndex: bigint }>();
  /** Being discarded, by entry index. */
  readonly #leaving = new Set<bigint>();
  readonly #turns = new Turns();

  private constructor(log: WriteAheadLog, clock: Clock, book: BlockBook, reserve: Reserve | undefined) {
    this.#log = log;
    this.#clock = clock;
    this.#book = book;
    this.#retention = new Retention(book);
    this.#reserve = reserve;
  }

  /**
   * Replays the log from its low watermark on. Nothing is finished at first, because the log does not know what is committed:
   * blocks of batches that were cleaned up wait for a batch again until `finish` says otherwise. Rejects with `WAL_VERSION_UNSUPPORTED` or `WAL_CORRUPT` for an
   * entry that it cannot read, and like `WriteAheadLog.read`. `reserve`: room for entries about blocks, when blocks have filled the disk.
   */
  static async recover(log: WriteAheadLog, clock: Clock, reserve?: Reserve): Promise<BlockTracker> {
    const book = new BlockBook(log.lowWatermark);
    for await (const entry of log.read()) book.apply(decodeEntry(entry, log.logId), entry);
    return new BlockTracker(log, clock, book, reserve);
  }

  /** Logged, then in the queue of its stream. Of one stream one at a time: the caller sees to it. */
  add(block: Block): Promise<LoggedBlock> {
    return this.log(laidOut(block));
  }

  /** The same for a block that is laid out already; its memory must not change until this resolves. */
  async log({ header, entry, payload }: LaidOutBlock): Promise<LoggedBlock> {
    if (this.#reserve?.isHeld === false) await this.#reserve.hold();
    const adding = { fromIndex: this.#log.nextIndex };
    this.#adding.add(adding);
    try {
      failpoint('receiver.beforeBlockLogged');
      const place = await this.#log.append(entry);
      failpoint('receiver.afterBlockLogged');
      return this.#book.add({ header, payloadBytes: payload.length }, place);
    } finally {
      this.#adding.delete(adding);
    }
  }

  /** Streams with blocks in the log. */
  get streams(): readonly PartitionKey[] {
    return [...this.#book.streams.keys()];
  }

  /** Blocks that wait for a batch, in the order of the log. */
  unallocated(stream: PartitionKey): readonly LoggedBlock[] {
    return [...(this.#book.streams.get(stream)?.blocks.values() ?? [])].filter(isUnallocated).map(({ block }) => block);
  }

  get hasUnallocated(): boolean {
    for (const { blocks } of this.#book.streams.values()) {
      for (const held of blocks.values()) if (isUnallocated(held)) return true;
    }
    return false;
  }

  /** Blocks that the log has to keep: allocated or not, finished or not, in the order of their offsets. */
  held(stream: PartitionKey): readonly LoggedBlock[] {
    const blocks = Array.from(this.#book.streams.get(stream)?.blocks.values() ?? [], ({ block }) => block);
    return blocks.sort((a, b) => compare(a.fromOffset, b.fromOffset) || compare(a.place.index, b.place.index));
  }

  /**
   * Everything that waits in these streams (default: all) goes to the batch, once. A time that is not after the newest one
   * changes nothing and answers what that batch has (Spark: lastAllocatedBatchTime).
   */
  allocate(batchTimeMs: number, streams?: readonly PartitionKey[]): Promise<AllocatedBatch> {
    return this.#turns.take(async () => {
      if (batchTimeMs > (this.newestBatchTimeMs ?? Number.NEGATIVE_INFINITY)) {
        failpoint('receiver.beforeAllocation');
        await this.#record(this.#allocation(batchTimeMs, streams ?? this.streams));
        failpoint('receiver.afterAllocation');
      }
      const batch = this.#book.batches.get(batchTimeMs);
      return batch === undefined ? { batchTimeMs, blocks: new Map() } : allocatedBatch(batch);
    });
  }

  /** Batches that are not cleaned up, by time. */
  get batches(): readonly AllocatedBatch[] {
    return Array.from(this.#book.batches.values(), allocatedBatch);
  }

  /** Of all batches there ever were. */
  get newestBatchTimeMs(): number | undefined {
    return this.#book.newestBatchTimeMs;
  }

  /**
   * The block's records are committed, or the ledger of its stream says that they were. Nothing is written: the log hears of it
   * when the batch is cleaned up. A block that waits for a batch waits no more.
   */
  finish(block: LoggedBlock): void {
    this.#book.finish(block, this.#clock.monotonic());
    this.#retention.noteChange();
  }

  /**
   * Takes back `finish`, for a block that is still held: the ledger of its stream went back in time. It waits for a batch again when no
   * batch has it.
   */
  reopen(block: LoggedBlock): void {
    this.#book.finish(block, undefined);
  }

  /** Logged, then gone from queues and batches. */
  async discard(blocks: readonly LoggedBlock[], reason: string): Promise<void> {
    for (const { place } of blocks) this.#leaving.add(place.index);
    try {
      await this.#turns.take(async () => {
        const streams = namedBlocks(blocks.flatMap((block) => this.#book.find(block)?.block ?? []));
        if (streams.length > 0) await this.#record({ kind: 'discard', reason, streams });
      });
    } finally {
      for (const { place } of blocks) this.#leaving.delete(place.index);
    }
  }

  /** Whether its discard is on its way into the log. */
  isLeaving({ place }: LoggedBlock): boolean {
    return this.#leaving.has(place.index);
  }

  /** Blocks of the stream under one claim belong to another one: logged, then changed. */
  adopt(stream: PartitionKey, fromClaim: string, toClaim: string): Promise<void> {
    return this.#turns.take(async () => {
      const partition = partitionOf(stream);
      const isConcerned = [...this.#book.blocksOf(partition)].some(({ block }) => block.claim === fromClaim);
      if (isConcerned) await this.#record({ kind: 'adoption', ...partition, fromClaim, toClaim });
    });
  }

  /** Next record number of a stream that numbers its records itself; 0 for one that is not known. */
  nextOffset(stream: PartitionKey): bigint {
    return this.#book.next.get(stream)?.nextOffset ?? 0n;
  }

  /**
   * Batches before this time are forgotten (Spark's cleanupOldBatches). Blocks of them that are not finished wait for another
   * batch.
   */
  cleanUp(beforeMs: number): Promise<void> {
    return this.#turns.take(async () => {
      const times = [...this.#book.batches.keys()].filter((time) => time < beforeMs);
      if (times.length > 0) await this.#cleanUp(times);
    });
  }

  /**
   * Cleans up batches all of whose blocks are finished, and lets the log forget what is finished since `retainMs`, as far as
   * nothing that is needed lies before it (retention.ts). Cheap when nothing changed.
   */
  async sweep(retainMs: number): Promise<void> {
    try {
      await this.#turns.take(() => this.#settle(retainMs));
    } finally {
      // Also when the disk has no room for an entry: this is what makes room.
      await this.#advance();
    }
  }

  /** The records of a block, from the log. */
  async read(block: LoggedBlock): Promise<Buffer> {
    return payloadOf(await this.#log.readEntry(block.place));
  }

  /** What is not finished. */
  get waiting(): { readonly blocks: number; readonly bytes: number } {
    return { ...this.#book.waiting };
  }

  /** What is not finished, by stream. */
  get waitingStreams(): readonly (TopicPartition & { readonly blocks: number; readonly records: number })[] {
    return Array.from(this.#book.streams, ([stream, { blocks }]) => {
      const waiting = [...blocks.values()].filter(({ finishedAtMs }) => finishedAtMs === undefined);
      const records = waiting.reduce((sum, { block }) => sum + block.recordCount, 0);
      return { ...partitionOf(stream), blocks: waiting.length, records };
    }).filter(({ blocks }) => blocks > 0);
  }

  #allocation(batchTimeMs: number, streams: readonly PartitionKey[]): AllocationEntry {
    const named = [...new Set(streams)].map((stream) => ({
      ...partitionOf(stream),
      blocks: rangesOf(this.unallocated(stream)),
    }));
    return { kind: 'allocation', batchTimeMs, streams: named };
  }

  async #settle(retainMs: number): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (this.#retention.isIdle(nowMs, retainMs)) return;
    this.#retention.expire(nowMs, retainMs);
    const done = this.#retention.finishedBatches();
    try {
      if (done.length > 0) {
        await this.#cleanUp(done);
        this.#retention.expire(nowMs, retainMs);
      }
      if (this.#retention.needsSnapshot(this.#appliedUntil())) await this.#cleanUp([]);
    } catch (error) {
      this.#retention.noteChange();
      throw error;
    }
  }

  async #cleanUp(batchTimesMs: readonly number[]): Promise<void> {
    failpoint('receiver.beforeCleanup');
    await this.#record({
      kind: 'cleanup',
      batchTimesMs,
      newestBatchTimeMs: this.newestBatchTimeMs,
      next: [...this.#book.next.values()],
      coveredUntil: this.#appliedUntil(),
    });
    failpoint('receiver.afterCleanup');
  }

  async #advance(): Promise<void> {
    const lowWatermark = this.#retention.lowWatermark();
    if (lowWatermark <= this.#log.lowWatermark) return;
    failpoint('receiver.beforeWatermark');
    await this.#log.advance(lowWatermark);
    failpoint('receiver.afterWatermark');
  }

  /** Entries below it are in the book. A block that is durable may not be: its caller has not had its turn. */
  #appliedUntil(): bigint {
    const [oldest] = this.#adding;
    return oldest?.fromIndex ?? this.#log.nextIndex;
  }

  async #record(entry: BookEntry): Promise<void> {
    this.#book.apply(entry, await appendAbout(this.#log, encodeEntry(entry), this.#reserve));
    this.#retention.noteChange();
  }
}

function allocatedBatch({ batchTimeMs, blocks }: HeldBatch): AllocatedBatch {
  return {
    batchTimeMs,
    blocks: new Map(Array.from(blocks, ([key, list]) => [key, list.map(({ block }) => block)])),
  };
}

/** Topics of receivers may have colons: the last one counts. */
function partitionOf(stream: PartitionKey): { readonly topic: string; readonly partition: number } {
  const colon = stream.lastIndexOf(':');
  return { topic: stream.slice(0, colon), partition: Number(stream.slice(colon + 1)) };
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
