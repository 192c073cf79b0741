import { TidemarkError } from '../errors.ts';
import { type Fetcher, type KafkaDriver, readAheadShare } from '../kafka/index.ts';
import {
  OffsetRange,
  type PartitionBounds,
  type PartitionKey,
  partitionKey,
  type RecordChunk,
  type TopicPartition,
} from '../model/index.ts';
import { judgePositions, type PositionVerdict, type ReadUpTo } from '../offsets/index.ts';
import type { Clock } from '../platform/index.ts';
import type { BatchPlan, BatchSource, PlannablePartition, ReadyPlan } from '../scheduler/index.ts';
import { Feed } from './feed.ts';
import { planRange, type SizeLimits } from './planner.ts';
import { recordsPerBatch, recordsPerSecond } from './rateLimit.ts';

export interface DirectOptions extends SizeLimits {
  readonly intervalMs: number;
  readonly lingerMs: number;
  readonly maxRatePerPartition: number;
  readonly minRatePerPartition: number;
  readonly onDataLoss: 'stop' | 'skip-forward';
  /** Bytes read ahead over all partitions. */
  readonly bufferedBytesMax: number;
}

/** Continuous mode: how long an open range waits for Kafka before it ends with what it has. */
const stallMs = 250;

/** Direct mode (Spark's kafka connector 0-10): offset ranges are planned, then exactly those are read. */
export class DirectSource implements BatchSource {
  readonly #driver: KafkaDriver;
  readonly #options: DirectOptions;
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #fetcher: Fetcher;
  readonly #feeds = new Map<PartitionKey, Feed>();

  /** `partitionCount`: how many partitions share the read-ahead. */
  constructor(driver: KafkaDriver, options: DirectOptions, partitionCount: number, clock: Clock, onReady: () => void) {
    this.#driver = driver;
    this.#options = options;
    this.#clock = clock;
    this.#onReady = onReady;
    this.#fetcher = driver.openFetcher(readAheadShare(options.bufferedBytesMax, partitionCount));
  }

  verify(positions: readonly ReadUpTo[]): Promise<readonly PositionVerdict[]> {
    return judgePositions(this.#driver, positions, this.#options.onDataLoss);
  }

  open(position: ReadUpTo): void {
    this.close(position);
    this.#feeds.set(partitionKey(position), new Feed(this.#fetcher, position, this.#clock, this.#onReady));
  }

  seek(of: TopicPartition, offset: bigint): void {
    this.#feeds.get(partitionKey(of))?.seek(offset);
  }

  close(of: TopicPartition): void {
    const key = partitionKey(of);
    this.#feeds.get(key)?.close();
    this.#feeds.delete(key);
  }

  async closeAll(): Promise<void> {
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    await this.#fetcher.close();
  }

  /**
   * A batch begins when some partition has waited `lingerMs`, or need not wait: more is in the log than is in memory, or a
   * range is full. It then takes every partition that has anything.
   */
  planReady(partitions: readonly PlannablePartition[], rate: number | undefined): ReadyPlan {
    const nowMs = this.#clock.monotonic();
    const waiting = partitions.flatMap((partition) => {
      const feed = this.#feeds.get(partitionKey(partition));
      return feed !== undefined && hasWork(feed, partition.position) ? [{ partition, feed }] : [];
    });
    if (waiting.length === 0) return { ranges: [], lookAgainMs: undefined };
    const lookAgainMs = Math.min(...waiting.map(({ partition, feed }) => this.#lingerLeftMs(partition, feed, nowMs)));
    if (lookAgainMs > 0) return { ranges: [], lookAgainMs };
    return this.#planWaiting(waiting, rate, nowMs);
  }

  #planWaiting(
    waiting: readonly { readonly partition: PlannablePartition; readonly feed: Feed }[],
    rate: number | undefined,
    nowMs: number,
  ): ReadyPlan {
    const ends = waiting.map(({ feed, partition }) => readableEnd(feed, partition.position));
    const lags = waiting.map(({ partition }, index) => (ends[index] ?? partition.position) - partition.position);
    const limits = recordsPerSecond(lags, { rate, maxRatePerPartition: this.#options.maxRatePerPartition });
    const ranges: OffsetRange[] = [];
    let lookAgainMs: number | undefined;
    for (const [index, { partition, feed }] of waiting.entries()) {
      const limit = limits?.[index];
      const recordsMax = limit === undefined ? undefined : feed.bucket.available(limit, nowMs);
      const range = planRange(
        {
          ...partition,
          readableEnd: ends[index] ?? partition.position,
          recordsMax,
          bytesPerOffset: feed.bytesPerOffset,
        },
        this.#options,
      );
      if (!range.isEmpty) {
        ranges.push(range);
        if (limit !== undefined) feed.bucket.take(Number(range.offsetCount));
      } else if (feed.error !== undefined) {
        // Nothing left to read before the failure: a range of one offset carries it to where failures are decided.
        ranges.push(new OffsetRange(range.topic, range.partition, partition.position, partition.position + 1n));
      } else if (limit !== undefined && limit > 0) {
        lookAgainMs = Math.min(lookAgainMs ?? Number.POSITIVE_INFINITY, feed.bucket.waitMs(limit));
      }
    }
    return { ranges, lookAgainMs };
  }

  async planTick(partitions: readonly PlannablePartition[], rate: number | undefined): Promise<BatchPlan> {
    if (partitions.length === 0) return { ranges: [] };
    const bounds = await this.#driver.bounds(partitions);
    const lags = partitions.map(({ position }, index) => {
      const lag = (bounds[index]?.lastStableOffset ?? position) - position;
      return lag > 0n ? lag : 0n;
    });
    const { intervalMs, minRatePerPartition, maxRatePerPartition } = this.#options;
    const limits =
      intervalMs > 0
        ? recordsPerBatch(lags, { rate, maxRatePerPartition }, intervalMs, minRatePerPartition)
        : undefined;
    const ranges = partitions.map((partition, index) =>
      planRange(
        {
          ...partition,
          readableEnd: partition.position + (lags[index] ?? 0n),
          recordsMax: limits?.[index],
          bytesPerOffset: this.#feeds.get(partitionKey(partition))?.bytesPerOffset ?? 0,
        },
        this.#options,
      ),
    );
    return { ranges };
  }

  read(range: OffsetRange, signal: AbortSignal): AsyncIterable<RecordChunk> {
    const feed = this.#feeds.get(partitionKey(range));
    if (feed === undefined) throw new TidemarkError('INVARIANT_BROKEN', `${range} is read but not followed`);
    return feed.read(range, signal, this.#options.intervalMs > 0 ? undefined : stallMs);
  }

  /** Nothing that is read ahead carries a claim. */
  reclaimed(): void {}

  /** The log keeps what was read. */
  committed(): void {}

  /** Nothing is taken in: ranges are read when they run. */
  async endIntake(): Promise<void> {}

  hasTakenIn(): boolean {
    return false;
  }

  bounds(of: TopicPartition): PartitionBounds | undefined {
    return this.#feeds.get(partitionKey(of))?.bounds;
  }

  nextTimestampMs(of: TopicPartition, position: bigint): number | undefined {
    return this.#feeds.get(partitionKey(of))?.nextTimestampMs(position);
  }

  retrying(of: TopicPartition): Error | undefined {
    return this.#feeds.get(partitionKey(of))?.retrying;
  }

  /** ≤ 0 = this partition need not wait any longer. */
  #lingerLeftMs(partition: PlannablePartition, feed: Feed, nowMs: number): number {
    if (feed.error !== undefined) return 0;
    const inMemory = feed.fetchedUntil - partition.position;
    const backlog = readableEnd(feed, partition.position) > feed.fetchedUntil;
    if (backlog || inMemory >= BigInt(this.#options.maxRecordsPerPartition)) return 0;
    return this.#options.lingerMs - (nowMs - (feed.waitingSinceMs ?? nowMs));
  }
}

function hasWork(feed: Feed, position: bigint): boolean {
  return feed.fetchedUntil > position || feed.error !== undefined;
}

/** What may be planned: what is in memory, and what the broker says is stable behind it. */
function readableEnd(feed: Feed, position: bigint): bigint {
  const stable = feed.bounds?.lastStableOffset ?? position;
  return stable > feed.fetchedUntil && feed.error === undefined ? stable : feed.fetchedUntil;
}
