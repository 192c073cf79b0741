import { TidemarkError } from '../errors.ts';
import type { Fetcher, PartitionStream } from '../kafka/index.ts';
import { firstTimestampMs } from '../kafka/records/index.ts';
import type { OffsetRange, PartitionBounds, RecordChunk, TopicPartition } from '../model/index.ts';
import type { ReadUpTo } from '../offsets/index.ts';
import type { Clock } from '../platform/index.ts';
import { TokenBucket } from './rateLimit.ts';

/** How much the newest chunk counts in the estimate of bytes per offset. */
const estimateWeight = 0.3;

/**
 * One partition's read-ahead: the stream of the fetcher, the rest of a chunk that a range ended inside of, and since when
 * something waits.
 */
export class Feed implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly bucket = new TokenBucket();
  readonly #stream: PartitionStream;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #rest: RecordChunk | undefined;
  #waiter: (() => void) | undefined;
  #waitingSinceMs: number | undefined;
  /** Since when the chunk that was taken last had waited, or some before it. */
  #takenSinceMs = 0;
  #bytesPerOffset = 0;
  /** Ranges being read: one, and for a moment another that was aborted. */
  #reads = 0;
  /** What was last found out of a record: a look at it unpacks its batch. */
  #head: { readonly position: bigint; readonly timestampMs: number } | undefined;

  constructor(fetcher: Fetcher, start: ReadUpTo, clock: Clock, onChange: () => void) {
    this.topic = start.topic;
    this.partition = start.partition;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#stream = fetcher.follow({
      topic: start.topic,
      partition: start.partition,
      topicId: start.topicId,
      fromOffset: start.nextOffset,
      leaderEpoch: start.leaderEpoch,
      onChange: () => this.#changed(),
    });
  }

  get bounds(): PartitionBounds | undefined {
    return this.#stream.bounds;
  }

  get retrying(): Error | undefined {
    return this.#stream.retrying?.error;
  }

  /** Why the stream ended; a plan must reach the reader for it to be told. */
  get error(): Error | undefined {
    return this.#stream.error;
  }

  /** Up to where data waits in memory. */
  get fetchedUntil(): bigint {
    return this.#stream.fetchedUntil;
  }

  get bytesPerOffset(): number {
    return this.#bytesPerOffset;
  }

  /** Since when (monotonic ms) data waits that no range has taken; undefined when none does. */
  get waitingSinceMs(): number | undefined {
    return this.#waitingSinceMs;
  }

  /**
   * Timestamp of the first record at or after `position`, where it waits in memory; undefined when it does not, or has none. While a
   * range is read what waits is not touched: the reader may have taken a chunk this moment and set the rest of it aside after us.
   */
  nextTimestampMs(position: bigint): number | undefined {
    if (this.#head?.position === position) return this.#head.timestampMs;
    if (this.#reads > 0) return undefined;
    this.#rest ??= this.#stream.take();
    const timestampMs = this.#rest && firstTimestampMs(this.#rest, position);
    if (timestampMs !== undefined) this.#head = { position, timestampMs };
    return timestampMs;
  }

  seek(offset: bigint): void {
    this.#rest = undefined;
    this.#waitingSinceMs = undefined;
    this.#stream.seek(offset);
  }

  close(): void {
    this.#stream.close();
    this.#waiter?.();
  }

  /**
   * The chunks of a range. `stallMs` undefined: waits as long as it takes. Else it ends early when nothing came for that
   * long: an open transaction that waits for Kafka would hold a connection and locks for as long as a broker is away.
   */
  async *read(range: OffsetRange, signal: AbortSignal, stallMs: number | undefined): AsyncGenerator<RecordChunk> {
    this.#reads += 1;
    try {
      yield* this.#read(range, signal, stallMs);
    } finally {
      this.#reads -= 1;
    }
  }

  async *#read(range: OffsetRange, signal: AbortSignal, stallMs: number | undefined): AsyncGenerator<RecordChunk> {
    let position = range.fromOffset;
    while (position < range.untilOffset) {
      const chunk = this.#take() ?? (await this.#next(signal, stallMs));
      if (chunk === undefined) return;
      if (chunk.fromOffset > position || chunk.nextOffset <= chunk.fromOffset) {
        throw this.#broken(range, position, chunk);
      }
      if (chunk.nextOffset <= position) {
        chunk.release();
        continue;
      }
      const until = chunk.nextOffset < range.untilOffset ? chunk.nextOffset : range.untilOffset;
      this.#rest = until < chunk.nextOffset ? chunk.slice(until, chunk.nextOffset) : undefined;
      // Its records came with the chunk: to start the wait anew would keep them for longer than `lingerMs`.
      if (this.#rest !== undefined) this.#waitingSinceMs = this.#takenSinceMs;
      this.#learn(chunk);
      const part = chunk.slice(position, until);
      chunk.release();
      yield part;
      position = until;
    }
  }

  #take(): RecordChunk | undefined {
    const chunk = this.#rest ?? this.#stream.take();
    this.#rest = undefined;
    this.#takenSinceMs = this.#waitingSinceMs ?? this.#clock.monotonic();
    if (this.#stream.fetchedUntil === this.#stream.takenUntil) this.#waitingSinceMs = undefined;
    return chunk;
  }

  async #next(signal: AbortSignal, stallMs: number | undefined): Promise<RecordChunk | undefined> {
    const deadlineMs = stallMs === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() + stallMs;
    for (;;) {
      signal.throwIfAborted();
      const chunk = this.#take();
      if (chunk !== undefined) return chunk;
      if (this.#stream.error !== undefined) throw this.#stream.error;
      const leftMs = deadlineMs - this.#clock.monotonic();
      if (leftMs <= 0) return undefined;
      await this.#change(signal, leftMs);
    }
  }

  #change(signal: AbortSignal, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = Number.isFinite(timeoutMs) ? this.#clock.after(timeoutMs, () => this.#waiter?.()) : () => {};
      this.#waiter = () => {
        this.#waiter = undefined;
        cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const wake = () => this.#waiter?.();
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #changed(): void {
    if (this.#waitingSinceMs === undefined && this.#stream.fetchedUntil > this.#stream.takenUntil) {
      this.#waitingSinceMs = this.#clock.monotonic();
    }
    this.#waiter?.();
    this.#onChange();
  }

  #learn(chunk: RecordChunk): void {
    const bytes = chunk.byteLength / Number(chunk.nextOffset - chunk.fromOffset);
    this.#bytesPerOffset =
      this.#bytesPerOffset === 0 ? bytes : this.#bytesPerOffset * (1 - estimateWeight) + bytes * estimateWeight;
  }

  #broken(range: OffsetRange, position: bigint, chunk: RecordChunk): TidemarkError {
    return new TidemarkError(
      'INVARIANT_BROKEN',
      `Reading ${range} at ${position}, the source gave [${chunk.fromOffset} -> ${chunk.nextOffset}]`,
      { topic: this.topic, partition: this.partition, offset: position },
    );
  }
}
