import { type Clock, turnEventLoop } from '../../platform/index.ts';

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Turns of the event loop given to what a timer has set off before the next timer runs. */
const turnsToSettle = 32;

/**
 * A clock that a test moves by hand. Nothing happens between two calls of `advance`, whatever the speed of the machine.
 *
 * ```ts
 * const clock = new ManualClock();
 * const cluster = new MemoryCluster({ clock });
 * await clock.advance(45_000); // sessions expire, retries run
 * ```
 */
export class ManualClock implements Clock {
  #monotonicMs = 0;
  readonly #startMs: number;
  #timers: Timer[] = [];
  #orders = 0;

  /** `startMs`: what `now()` gives at first, ms since 1970. Default 2026-01-01. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#monotonicMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  after(ms: number, callback: () => void): () => void {
    this.#orders += 1;
    const timer = { dueMs: this.#monotonicMs + Math.max(0, ms), order: this.#orders, run: callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that wait. A test that expects to leave nothing behind finds 0 here. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /**
   * Moves time on by `ms`. Due timers run one by one, in the order of their time, each with the clock at its time; what it
   * sets off is given its turns before the next one. Resolves when the last of it has settled.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms;
    await this.settle();
    for (;;) {
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (first === undefined || isBefore(timer, first) ? timer : first),
        undefined,
      );
      if (next === undefined || next.dueMs > untilMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      next.run();
      await this.settle();
    }
    this.#monotonicMs = untilMs;
  }

  /** Gives everything that waits for promises or for the event loop its turns, without moving time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < turnsToSettle; turn += 1) await turnEventLoop();
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs;
}
