import { TidemarkError } from '../errors.ts';
import { storedChunk } from '../kafka/records/index.ts';
import { OffsetRange, type PartitionBounds, type PartitionKey, partitionKey } from '../model/index.ts';
import { turnEventLoop } from '../platform/index.ts';
import { batchTimesOf } from './batchTimes.ts';
import type { LoggedBlock } from './block.ts';
import { BlockGenerator } from './blockGenerator.ts';
import { BlockQueue } from './blockQueue.ts';
import { announce, hasRoom, type Lane, type LaneSurroundings } from './lane.ts';
import { bytesOf, encodeReceived } from './receivedRecords.ts';
import type { ReceivedRecord } from './receiver.ts';
import type { ReceiverIntake } from './supervisor.ts';

/** Records that stay together in a block, with whoever waits for them to be durable. */
interface Group {
  readonly records: readonly ReceivedRecord[];
  readonly receivedAtMs: number;
  readonly bytes: number;
  readonly waiter: { resolve(): void; reject(error: unknown): void } | undefined;
  isRefused: boolean;
}

/** Records stored one by one before everything else has its turn. */
const storesPerTurn = 1000;
/** So many blocks waiting for their commit are enough: then larger ones are better than sooner ones. */
const blocksAhead = 2;
/**
 * The one partition of a receiver that has no offsets of its own: its records are numbered as they are written into a block, without
 * a gap over restarts. The log keeps the numbers, the ledger says how far they are committed.
 *
 * A block with records that somebody waits for is cut at once, when the one before is durable: what comes meanwhile shares the
 * next one. With a backlog it waits for the block interval.
 */
export class RecordLane implements Lane, ReceiverIntake {
  readonly topic: string;
  readonly partition = 0;
  readonly key: PartitionKey;
  readonly queue: BlockQueue;
  readonly retrying = undefined;
  readonly #on: LaneSurroundings;
  readonly #batchBytesMax: number;
  readonly #generator: BlockGenerator<Group>;
  readonly #roomWaiters: (() => void)[] = [];
  /** Those that somebody waits for. */
  readonly #awaited = new Set<Group>();
  /** What waits while the partition is closed: parked, or another's. It stays in the log, and bounds what is taken in. */
  readonly #unqueued = { blocks: 0, bytes: 0 };
  #nextOffset: bigint;
  #isOpen = false;
  /** Another process has the partition, with a copy of this log: what came in now would be acknowledged, and committed by nobody. */
  #isFenced = false;
  #isPushing = false;
  #isCutting = false;
  #stores = 0;

  /** `batchBytesMax`: of records that are stored together. */
  constructor(topic: string, batchBytesMax: number, on: LaneSurroundings) {
    this.topic = topic;
    this.key = partitionKey(this);
    this.#on = on;
    this.#batchBytesMax = batchBytesMax;
    this.queue = new BlockQueue(this, (block) => on.tracker.read(block));
    this.#nextOffset = on.tracker.nextOffset(this.key);
    const { clock, blockIntervalMs, blockBytesMax } = on;
    this.#generator = new BlockGenerator<Group>(
      { onPushBlock: (blockId, groups) => this.#push(blockId, groups), onError: (_, error) => this.#failed(error) },
      { name: `${topic}-${this.#nextOffset}`, clock, blockIntervalMs, blockBytesMax, bytesOf: ({ bytes }) => bytes },
    );
    this.#generator.start();
  }

  /** Number of the next record. */
  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  /** First record that the log still holds. */
  get logStartOffset(): bigint {
    return this.#on.tracker.held(this.key)[0]?.fromOffset ?? this.#nextOffset;
  }

  get bounds(): PartitionBounds {
    const end = this.#nextOffset;
    return { logStartOffset: this.logStartOffset, lastStableOffset: end, highWatermark: end };
  }

  get error(): Error | undefined {
    return this.#generator.failed;
  }

  // What a receiver sees.

  get hasRoom(): boolean {
    return !this.#isFenced && hasRoom(this.#isOpen ? this.queue : this.#unqueued, this.#generator, this.#on);
  }

  whenRoom(): Promise<void> {
    return this.hasRoom ? Promise.resolve() : new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  async store(record: ReceivedRecord): Promise<void> {
    await this.whenRoom();
    await this.#on.limiter.acquire(1);
    // A receiver that waits for nothing else would keep timers and sockets waiting until there is no room left.
    this.#stores += 1;
    if (this.#stores % storesPerTurn === 0) await turnEventLoop();
    this.#add(this.#group([record], undefined));
  }

  async storeBatch(records: readonly ReceivedRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#on.limiter.acquire(records.length);
    await new Promise<void>((resolve, reject) => {
      const group = this.#group(records, { resolve, reject });
      if (group.bytes > this.#batchBytesMax) throw tooLarge(this.topic, group.bytes, this.#batchBytesMax);
      this.#add(group);
      this.#awaited.add(group);
      this.#cutSoon();
    });
  }

  // What the source does.

  /** The partition is ours, from `nextOffset` on. */
  open(nextOffset: bigint): void {
    this.#isOpen = true;
    this.#isFenced = false;
    this.#enqueue(nextOffset);
    this.#tellRoom();
  }

  /** Its blocks are tied to the log, not to a claim. */
  reclaimed(): void {}

  committed(nextOffset: bigint): void {
    for (const block of this.queue.committed(nextOffset)) this.#on.tracker.finish(block);
    this.#tellRoom();
  }

  seek(offset: bigint): void {
    const { fromOffset } = this.queue;
    if (fromOffset === undefined || offset < fromOffset) this.#enqueue(offset);
  }

  async endIntake(): Promise<void> {
    await this.#generator.stop();
  }

  /** Drops what is not durable; whoever waits is told. */
  abandon(): void {
    this.#generator.abandon();
    for (const group of this.#awaited) this.#settle(group, stopped(this.topic));
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  /** Its blocks stay in the log: nobody else has these records. */
  close(isFenced = false): void {
    this.#isFenced ||= isFenced;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#unqueued.blocks = this.queue.blocks;
    this.#unqueued.bytes = this.queue.bytes;
    this.queue.clear();
  }

  end(): void {
    this.close();
  }

  #enqueue(nextOffset: bigint): void {
    this.queue.clear();
    const { tracker } = this.#on;
    const times = batchTimesOf(tracker, this.key);
    for (const block of tracker.held(this.key)) {
      if (block.untilOffset <= nextOffset) {
        tracker.finish(block);
      } else {
        // Where the ledger went back in time it was finished: it would be in no batch, and leave the log while it waits here.
        tracker.reopen(block);
        this.queue.push(block, undefined, times.get(block.place.index));
      }
    }
  }

  #tellRoom(): void {
    for (const resolve of this.hasRoom ? this.#roomWaiters.splice(0) : []) resolve();
  }

  #add(group: Group): void {
    const { isActive, failed } = this.#generator;
    if (this.#isFenced) {
      throw new TidemarkError('RECEIVER_STOPPED', `${this.topic} is another process's by now: nothing was stored`);
    }
    if (!isActive && failed === undefined) throw stopped(this.topic);
    this.#generator.addData(group);
  }

  #group(records: readonly ReceivedRecord[], waiter: Group['waiter']): Group {
    const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
    return { records, receivedAtMs: this.#on.clock.now(), bytes, waiter, isRefused: false };
  }

  #cutSoon(): void {
    if (this.#isCutting || this.#isPushing || this.queue.blocks >= blocksAhead) return;
    this.#isCutting = true;
    // Callers of the same turn share a block.
    void turnEventLoop().then(() => {
      this.#isCutting = false;
      if (this.#generator.isActive) this.#generator.cut();
    });
  }

  async #push(blockId: string, groups: readonly Group[]): Promise<void> {
    const taken = groups.filter(({ isRefused }) => !isRefused);
    if (taken.length === 0) return;
    this.#isPushing = true;
    try {
      await this.#log(blockId, taken);
      for (const group of taken) this.#settle(group, undefined);
    } catch (error) {
      // Whoever waits is told, and sends again or not: to store it later all the same could double it.
      for (const group of taken) this.#settle(group, error);
      throw error;
    } finally {
      this.#isPushing = false;
      if (this.#generator.waitingBlocks > 0) this.#cutSoon();
    }
  }

  #settle(group: Group, error: unknown): void {
    if (!this.#awaited.delete(group)) return;
    if (error === undefined) {
      group.waiter?.resolve();
    } else {
      group.isRefused = true;
      group.waiter?.reject(error);
    }
  }

  #failed(error: unknown): void {
    // Whatever still waits when the generator ends is never pushed.
    if (this.#generator.failed !== undefined) for (const group of this.#awaited) this.#settle(group, error);
    this.#on.onLog(error);
  }

  async #log(blockId: string, groups: readonly Group[]): Promise<void> {
    const { topic, partition } = this;
    const fromOffset = this.#nextOffset;
    const recordCount = groups.reduce((sum, { records }) => sum + records.length, 0);
    const payload = encodeReceived(groups, Number(fromOffset));
    const untilOffset = fromOffset + BigInt(recordCount);
    const block: LoggedBlock = await this.#on.tracker.add({
      topic,
      partition,
      blockId,
      fromOffset,
      untilOffset,
      recordCount,
      topicId: '',
      leaderEpoch: -1,
      claim: '',
      receivedAtMs: this.#on.clock.now(),
      payload,
    });
    this.#nextOffset = untilOffset;
    this.#on.onLog(undefined);
    if (this.#isOpen) {
      this.queue.push(block, storedChunk(new OffsetRange(topic, partition, fromOffset, untilOffset), payload));
    } else {
      this.#unqueued.blocks += 1;
      this.#unqueued.bytes += block.payloadBytes;
    }
    announce(block, this.#on.events);
    this.#on.onReady();
  }
}

function stopped(topic: string): TidemarkError {
  return new TidemarkError('RECEIVER_STOPPED', `${topic} was stopped before these records were durable`);
}

function tooLarge(topic: string, bytes: number, bytesMax: number): TidemarkError {
  return new TidemarkError(
    'WAL_ENTRY_TOO_LARGE',
    `${topic}: records of ${bytes} bytes are to stay together, the log takes ${bytesMax} at most`,
    { hint: 'Store fewer records at once, or raise wal.segmentBytesMax.' },
  );
}
