import { TidemarkError } from '../../errors.ts';
import type { ReceivedRecord, ReceiverContext } from '../../receiver/index.ts';

/**
 * What a receiver is started with, in memory: for tests of a receiver alone, without pipeline, log and database. A record counts
 * as stored when its store has resolved. A test decides when there is room, when what was handed in becomes durable,
 * and whether that fails; it sees what the receiver asks for, and does none of it: it calls `start` and `stop` itself.
 */
export class MemoryReceiverContext implements ReceiverContext {
  /** What is stored: what came in one `storeBatch`, or a record of `store`, is one item. */
  readonly batches: (readonly ReceivedRecord[])[] = [];
  readonly restarts: { readonly message: string; readonly error: unknown; readonly delayMs: number | undefined }[] = [];
  readonly reports: { readonly message: string; readonly error: unknown }[] = [];
  readonly stops: { readonly message: string; readonly error: unknown }[] = [];
  /** Stores that have not settled. */
  waiting = 0;
  /** What the next stores reject with; nothing of them is stored. */
  failure: Error | undefined;
  readonly #over = new AbortController();
  #waiters: (() => void)[] = [];
  #hasRoom = true;
  #isHeld = false;

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  /** Default true. While false, `store` and `whenRoom` wait; `storeBatch` does not. */
  set hasRoom(hasRoom: boolean) {
    this.#hasRoom = hasRoom;
    this.#change();
  }

  /** While true, nothing becomes durable: stores do not settle. */
  set isHeld(isHeld: boolean) {
    this.#isHeld = isHeld;
    this.#change();
  }

  get records(): readonly ReceivedRecord[] {
    return this.batches.flat();
  }

  /** Values of what is stored, as text. */
  get texts(): readonly string[] {
    return this.records.map(({ value }) => String(value));
  }

  /** This start is over: the signal is aborted, and nothing is stored any more. */
  end(): void {
    this.#over.abort();
    this.#change();
  }

  store(record: ReceivedRecord): Promise<void> {
    return this.#take([record], () => this.#hasRoom && !this.#isHeld);
  }

  storeBatch(records: readonly ReceivedRecord[]): Promise<void> {
    return this.#take(records, () => !this.#isHeld);
  }

  whenRoom(): Promise<void> {
    return this.#until(() => this.#hasRoom);
  }

  restart(message: string, error?: unknown, delayMs?: number): void {
    this.restarts.push({ message, error, delayMs });
    this.#change();
  }

  stop(message: string, error?: unknown): void {
    this.stops.push({ message, error });
    this.#change();
  }

  reportError(message: string, error?: unknown): void {
    this.reports.push({ message, error });
    this.#change();
  }

  /** Resolves when `condition` holds; looks whenever something of the context changes. */
  async sees(condition: (context: this) => boolean): Promise<void> {
    while (!condition(this)) await this.#nextChange();
  }

  async #take(records: readonly ReceivedRecord[], mayTake: () => boolean): Promise<void> {
    this.waiting += 1;
    this.#change();
    try {
      await this.#until(mayTake);
      if (this.failure !== undefined) throw this.failure;
      this.batches.push(records);
    } finally {
      this.waiting -= 1;
      this.#change();
    }
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.signal.aborted) throw new TidemarkError('RECEIVER_STOPPED', 'this start of the receiver is over');
      if (condition()) return;
      await this.#nextChange();
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #change(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
