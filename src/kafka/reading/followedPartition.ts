import type { PartitionBounds, RecordChunk } from '../../model/index.ts';
import type { FetcherOptions, FollowStart, PartitionStream } from '../driver.ts';
import type { FetchPartition } from '../protocol/index.ts';

/** Who moves a stream through its states. */
export interface StreamOwner {
  readonly limits: FetcherOptions;
  /** The stream may want a fetch that it did not want before. */
  wake(stream: FollowedPartition): void;
  /** The stream was closed by its user. */
  closed(stream: FollowedPartition): void;
}

/**
 * The stream of one partition: what its user sees, and what the fetcher must know to read it.
 *
 * - `locating`: no reader. Entered by `follow`, and from `reading` by any failure that is looked into or retried. Left
 *   for `reading` when the leader is known, for `ended` when the failure turns out to be final.
 * - `reading`: attached to the reader of its leader.
 * - `ended`: `error` says why; what was read before can still be taken. Final.
 * - `closed`: by its user. Final.
 */
export class FollowedPartition implements PartitionStream {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly #onChange: () => void;
  readonly #owner: StreamOwner;
  #state: 'locating' | 'reading' | 'ended' | 'closed' = 'locating';
  #chunks: RecordChunk[] = [];
  #bufferedBytes = 0;
  #takenUntil: bigint;
  #fetchedUntil: bigint;
  #bounds: PartitionBounds | undefined;
  #error: Error | undefined;
  #retrying: { readonly error: Error; readonly sinceMs: number } | undefined;

  /**
   * Counts seeks. An answer belongs to the generation its request was made in, else: a fetch at 100 is under way, the
   * user seeks to 7, the answer arrives and its records from 100 on would be taken for those from 7 on.
   */
  #generation = 0;
  #askedGeneration = -1;
  /** Whether this leader has answered for the present position. */
  #isAnswered = false;
  #leaderEpoch = -1;
  #lastFetchedEpoch: number;
  #fetchBytes: number;
  #attempts = 0;
  #doubtfulSinceMs: number | undefined;
  /** Times in a row that the broker sent nothing although it had room and, as it said itself, something to send. */
  #withheld = 0;

  constructor(start: FollowStart, owner: StreamOwner) {
    this.topic = start.topic;
    this.partition = start.partition;
    this.topicId = start.topicId.toLowerCase();
    this.#onChange = start.onChange;
    this.#owner = owner;
    this.#takenUntil = start.fromOffset;
    this.#fetchedUntil = start.fromOffset;
    this.#lastFetchedEpoch = start.leaderEpoch ?? -1;
    this.#fetchBytes = owner.limits.fetchBytesMax;
  }

  // What the user sees.

  get bounds(): PartitionBounds | undefined {
    return this.#bounds;
  }

  get takenUntil(): bigint {
    return this.#takenUntil;
  }

  get fetchedUntil(): bigint {
    return this.#fetchedUntil;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  get retrying(): { readonly error: Error; readonly sinceMs: number } | undefined {
    return this.#retrying;
  }

  take(): RecordChunk | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    const wasFull = this.#isFull;
    this.#bufferedBytes -= chunk.byteLength;
    this.#takenUntil = chunk.nextOffset;
    if (wasFull && !this.#isFull) this.#owner.wake(this);
    return chunk;
  }

  seek(offset: bigint): void {
    if (this.isOver) return;
    this.#generation += 1;
    this.#isAnswered = false;
    this.#drop();
    this.#takenUntil = offset;
    this.#fetchedUntil = offset;
    this.#lastFetchedEpoch = -1;
    this.#fetchBytes = this.#owner.limits.fetchBytesMax;
    this.#withheld = 0;
    this.#owner.wake(this);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#generation += 1;
    this.#drop();
    this.#owner.closed(this);
  }

  // What the fetcher does.

  get state(): 'locating' | 'reading' | 'ended' | 'closed' {
    return this.#state;
  }

  get isOver(): boolean {
    return this.#state === 'ended' || this.#state === 'closed';
  }

  get generation(): number {
    return this.#generation;
  }

  get lastFetchedEpoch(): number {
    return this.#lastFetchedEpoch;
  }

  get fetchBytes(): number {
    return this.#fetchBytes;
  }

  /** Failures since the last good answer. */
  get attempts(): number {
    return this.#attempts;
  }

  get wantsFetch(): boolean {
    return this.#state === 'reading' && !this.#isFull && this.#askedGeneration !== this.#generation;
  }

  /** Nobody knows yet whether the leader takes the position, and what its bounds are: an answer is wanted at once. */
  get isUnanswered(): boolean {
    return !this.#isAnswered;
  }

  /** A leader was found. */
  placed(leaderEpoch: number): void {
    this.#state = 'reading';
    this.#leaderEpoch = leaderEpoch;
    this.#askedGeneration = -1;
    this.#isAnswered = false;
  }

  /** Left its reader, for another try. */
  displaced(): void {
    if (!this.isOver) this.#state = 'locating';
  }

  /** Notes that a request is under way and says in which generation. */
  asked(): number {
    this.#askedGeneration = this.#generation;
    return this.#generation;
  }

  /** Whether the answer to a request of that generation still counts; the stream can be asked again then. */
  answers(generation: number): boolean {
    if (this.#state !== 'reading' || generation !== this.#generation) return false;
    this.#askedGeneration = -1;
    return true;
  }

  request(): FetchPartition {
    return {
      topicId: this.topicId,
      partition: this.partition,
      currentLeaderEpoch: this.#leaderEpoch,
      fetchOffset: this.#fetchedUntil,
      lastFetchedEpoch: this.#lastFetchedEpoch,
      partitionBytesMax: this.#fetchBytes,
    };
  }

  /** Takes an answer's bounds; true when they are news, and so is the end of a failure. */
  learn(bounds: PartitionBounds): boolean {
    const before = this.#bounds;
    const isNews =
      before === undefined ||
      this.#retrying !== undefined ||
      before.lastStableOffset !== bounds.lastStableOffset ||
      before.highWatermark !== bounds.highWatermark ||
      before.logStartOffset !== bounds.logStartOffset;
    this.#isAnswered = true;
    // Only the offsets: the answer they come in holds the bytes of all its records.
    const { logStartOffset, highWatermark, lastStableOffset } = bounds;
    this.#bounds = { logStartOffset, highWatermark, lastStableOffset };
    this.#retrying = undefined;
    this.#attempts = 0;
    this.#doubtfulSinceMs = undefined;
    return isNews;
  }

  append(chunk: RecordChunk): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.byteLength;
    this.#fetchedUntil = chunk.nextOffset;
    this.#lastFetchedEpoch = chunk.leaderEpoch;
    this.#fetchBytes = this.#owner.limits.fetchBytesMax;
    this.#withheld = 0;
  }

  /** The batch at the position needs more room than was asked for. */
  askForMore(bytes: number): void {
    this.#fetchBytes = bytes;
  }

  /** The broker had room and readable offsets, and sent nothing. Returns how often in a row. */
  withheld(): number {
    this.#withheld += 1;
    return this.#withheld;
  }

  /** A failure that will be retried. */
  failed(error: Error, nowMs: number): void {
    this.#attempts += 1;
    this.#retrying = { error, sinceMs: this.#retrying?.sinceMs ?? nowMs };
  }

  /** A failure that may be a passing view of things. Returns for how long there have been such. */
  doubted(nowMs: number): number {
    this.#doubtfulSinceMs ??= nowMs;
    return nowMs - this.#doubtfulSinceMs;
  }

  end(error: Error): void {
    if (this.isOver) return;
    this.#state = 'ended';
    this.#generation += 1;
    this.#error = error;
    this.#retrying = undefined;
    this.#notify();
  }

  /** Tells the user that there is something new, unless the stream is over: its end was told when it ended. */
  changed(): void {
    if (!this.isOver) this.#notify();
  }

  #notify(): void {
    try {
      this.#onChange();
    } catch (error) {
      // Out of the fetcher's own work, which serves other streams too, but not hidden: it ends as an uncaught exception.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  get #isFull(): boolean {
    return this.#bufferedBytes >= this.#owner.limits.bufferedBytesMax;
  }

  #drop(): void {
    this.#chunks = [];
    this.#bufferedBytes = 0;
  }
}
