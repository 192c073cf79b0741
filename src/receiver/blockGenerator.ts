import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { backoffMs, type Clock } from '../platform/index.ts';

export interface BlockGeneratorOptions<T> {
  /** Block ids are `<name>-<n>`; n begins at 1 and rises for ever within this generator. */
  readonly name: string;
  /** A block is cut at every multiple of it since the start, if something is in it. More than 0. */
  readonly blockIntervalMs: number;
  /** A block is cut before what would make it larger; what was added in one call may be larger alone. */
  readonly blockBytesMax: number;
  readonly bytesOf: (item: T) => number;
  readonly clock: Clock;
}

/** Whom the generator tells. What `onAddData` and `onGenerateBlock` throw goes to `onError` and changes nothing else. */
export interface BlockGeneratorListener<T> {
  /** In the same synchronous step as the adding, after it; not for `addData`. Must not add or cut. */
  onAddData?(item: T | readonly T[], metadata: unknown): void;
  /**
   * In the same synchronous step as the cut: all that `onAddData` told since the last one is in this block, and nothing
   * else (but for what `addData` added). Must not add or cut.
   */
  onGenerateBlock?(blockId: string): void;
  /**
   * Makes the block durable. One at a time, in the order of the cuts; the next one begins when the promise has settled. After
   * a rejection with a retriable TidemarkError it is called again with the same block, after any other one never again. May
   * begin within the step of the cut.
   */
  onPushBlock(blockId: string, items: readonly T[]): Promise<void>;
  /** After every failed push, and once more when the generator ends by one (`failed` is set then). Must not throw. */
  onError(message: string, error: unknown): void;
}

/**
 * The states of Spark's BlockGenerator, by their names. They only go forward.
 *
 * - Initialized: until `start`.
 * - Active: items are added, blocks are cut and pushed.
 * - StoppedAddingData: from `stop` until the tail is cut: seen only by the callbacks of that cut.
 * - StoppedGeneratingBlocks: what waits is pushed, as often as it takes.
 * - StoppedAll: after the last push of a stop; at once by a push that failed for good, `abandon`, or a `stop` before the start.
 */
const states = ['Initialized', 'Active', 'StoppedAddingData', 'StoppedGeneratingBlocks', 'StoppedAll'] as const;

interface WaitingBlock<T> {
  readonly id: string;
  readonly items: readonly T[];
  readonly bytes: number;
}

const retryBaseMs = 100;
const retryCapMs = 5000;

/**
 * Collects what a receiver hands in and cuts it into blocks (Spark's BlockGenerator). Other than Spark's, it has no rate
 * limit of its own, a failed push does not end it silently, and an idle one has no timer. It bounds nothing:
 * whoever adds looks at `waitingBytes` and `waitingBlocks`.
 */
export class BlockGenerator<T> {
  readonly #listener: BlockGeneratorListener<T>;
  readonly #options: BlockGeneratorOptions<T>;
  readonly #ended = new AbortController();
  #state: (typeof states)[number] = 'Initialized';
  #failed: TidemarkError | undefined;
  #startedAtMs = 0;
  #blocks = 0;
  #items: T[] = [];
  #bytes = 0;
  #queue: WaitingBlock<T>[] = [];
  #queueBytes = 0;
  #cancelTick = () => {};
  #isPushing = false;
  #pushing: Promise<void> = Promise.resolve();
  readonly #stopped: Promise<void>;
  #resolveStopped = () => {};

  constructor(listener: BlockGeneratorListener<T>, options: BlockGeneratorOptions<T>) {
    this.#listener = listener;
    this.#options = options;
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  get isActive(): boolean {
    return this.#state === 'Active';
  }

  get isStopped(): boolean {
    return this.#state === 'StoppedAll';
  }

  /** What ended the generator: what waited then was dropped. Undefined after a stop that pushed everything. */
  get failed(): TidemarkError | undefined {
    return this.#failed;
  }

  /** In memory and not durable yet: the present block, what waits for its push, and what is being pushed. */
  get waitingBytes(): number {
    return this.#bytes + this.#queueBytes;
  }

  get waitingBlocks(): number {
    return this.#queue.length + (this.#items.length > 0 ? 1 : 0);
  }

  /** Throws PIPELINE_STATE when it was started or stopped before. */
  start(): void {
    if (this.#state !== 'Initialized') throw this.#refusal('cannot be started: it was started or stopped before');
    this.#startedAtMs = this.#options.clock.monotonic();
    this.#become('Active');
  }

  /** This and the other adds throw PIPELINE_STATE when the generator is not active, or what `failed` says; then nothing was added. */
  addData(item: T): void {
    this.#add([item]);
  }

  addDataWithCallback(item: T, metadata: unknown): void {
    this.#add([item]);
    this.#call(() => this.#listener.onAddData?.(item, metadata));
  }

  /** All in one block, with one `onAddData`. */
  addMultipleDataWithCallback(items: readonly T[], metadata: unknown): void {
    this.#add(items);
    this.#call(() => this.#listener.onAddData?.(items, metadata));
  }

  /** Ends the present block now. Does nothing when nothing is in it. */
  cut(): void {
    if (this.#items.length === 0) return;
    this.#cancelTick();
    this.#blocks += 1;
    const block = { id: `${this.#options.name}-${this.#blocks}`, items: this.#items, bytes: this.#bytes };
    this.#items = [];
    this.#bytes = 0;
    this.#queue.push(block);
    this.#queueBytes += block.bytes;
    this.#call(() => this.#listener.onGenerateBlock?.(block.id));
    if (this.#isPushing) return;
    this.#isPushing = true;
    this.#pushing = this.#pushWaiting();
  }

  /**
   * Adds nothing more, cuts the tail, pushes all that waits; resolves when the generator is stopped. It never rejects: `failed`
   * says whether all was pushed. A block whose push fails retriably is tried until it succeeds, or until `abandon`.
   */
  stop(): Promise<void> {
    if (this.#state === 'Initialized') this.#become('StoppedAll');
    if (this.isActive) {
      this.#become('StoppedAddingData');
      this.cut();
      this.#become('StoppedGeneratingBlocks');
      void this.#pushing.then(() => this.#become('StoppedAll'));
    }
    return this.#stopped;
  }

  /** Drops all that waits, at once: nothing is pushed any more, how the push under way ends is ignored, `stop` resolves. */
  abandon(): void {
    this.#become('StoppedAll');
  }

  #become(next: (typeof states)[number]): void {
    if (states.indexOf(next) <= states.indexOf(this.#state)) return;
    this.#state = next;
    if (next !== 'StoppedAll') return;
    this.#cancelTick();
    this.#items = [];
    this.#bytes = 0;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#ended.abort();
    this.#resolveStopped();
  }

  #add(items: readonly T[]): void {
    this.#requireActive();
    const bytes = items.reduce((sum, item) => sum + this.#options.bytesOf(item), 0);
    if (this.#items.length > 0 && this.#bytes + bytes > this.#options.blockBytesMax) {
      this.cut();
      // A callback of the cut threw, and whoever was told stopped the generator: what came now would never be cut.
      this.#requireActive();
    }
    const isFirst = this.#items.length === 0 && items.length > 0;
    for (const item of items) this.#items.push(item);
    this.#bytes += bytes;
    if (isFirst) this.#armTick();
  }

  #armTick(): void {
    const { clock, blockIntervalMs } = this.#options;
    const elapsedMs = clock.monotonic() - this.#startedAtMs;
    const tickMs = this.#startedAtMs + (Math.floor(elapsedMs / blockIntervalMs) + 1) * blockIntervalMs;
    const arm = () => {
      this.#cancelTick = clock.after(Math.ceil(tickMs - clock.monotonic()), () => {
        // A timer counts from the beginning of the event loop's turn that set it: on a busy loop it comes too early, and what
        // is added between it and the multiple would be a block more.
        if (clock.monotonic() < tickMs) arm();
        else this.cut();
      });
    };
    arm();
  }

  async #pushWaiting(): Promise<void> {
    let failures = 0;
    for (let block = this.#queue[0]; block !== undefined; block = this.#queue[0]) {
      try {
        await this.#listener.onPushBlock(block.id, block.items);
        if (this.isStopped) return;
        this.#queue.shift();
        this.#queueBytes -= block.bytes;
        failures = 0;
      } catch (error) {
        if (this.isStopped) return;
        failures += 1;
        this.#listener.onError(`Block ${block.id} could not be pushed`, error);
        if (!isTidemarkError(error) || !error.retriable) return this.#fail(block.id, error);
        if (!(await this.#nap(backoffMs(failures, retryBaseMs, retryCapMs)))) return;
      }
    }
    this.#isPushing = false;
  }

  #fail(blockId: string, error: unknown): void {
    if (this.isStopped) return;
    const { name } = this.#options;
    this.#failed = isTidemarkError(error)
      ? error
      : new TidemarkError('RECEIVER_FAILED', `Block ${blockId} could not be pushed: ${messageOf(error)}`, {
          cause: error,
        });
    this.#become('StoppedAll');
    this.#listener.onError(`Block generator ${name} has ended: a push failed for good`, this.#failed);
  }

  /** False when the generator was stopped meanwhile. */
  async #nap(ms: number): Promise<boolean> {
    return this.#options.clock.sleep(ms, this.#ended.signal).then(
      () => !this.isStopped,
      () => false,
    );
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#listener.onError(`A listener of block generator ${this.#options.name} threw`, error);
    }
  }

  #requireActive(): void {
    if (!this.isActive) throw this.#refusal('takes nothing: it is not started, or stopped');
  }

  #refusal(what: string): TidemarkError {
    return this.#failed ?? new TidemarkError('PIPELINE_STATE', `Block generator ${this.#options.name} ${what}`);
  }
}
