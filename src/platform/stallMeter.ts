import { type Clock, systemClock } from './clock.ts';

/** How often the meter's timer is due: what it is late by is the time the event loop stood still. */
const tickMs = 50;

/**
 * Measures how long the event loop stood still, by a timer that comes late: because code ran for long, because the
 * process was stopped (SIGSTOP), because the machine slept or had no time for it.
 */
export class StallMeter {
  readonly #clock: Clock;
  /** Stalls, the longer before the shorter: a stall before a longer one can never be the longest again. */
  readonly #stalls: { readonly endMs: number; readonly ms: number }[] = [];
  #dueMs = 0;
  #cancel = () => {};

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#arm();
  }

  /** Longest time in ms the event loop stood still after `sinceMs` (monotonic); what was before is forgotten. */
  longestSince(sinceMs: number): number {
    this.#note();
    while (this.#stalls[0] !== undefined && this.#stalls[0].endMs < sinceMs) this.#stalls.shift();
    return Math.round(this.#stalls[0]?.ms ?? 0);
  }

  /** Ends the timer. */
  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#dueMs = this.#clock.monotonic() + tickMs;
    this.#cancel = this.#clock.after(tickMs, () => {
      this.#note();
      this.#arm();
    });
  }

  /** Whoever asks may come before the timer that is late: then the stall is seen here first, and once. */
  #note(): void {
    const now = this.#clock.monotonic();
    const ms = now - this.#dueMs;
    if (ms <= 0) return;
    while ((this.#stalls.at(-1)?.ms ?? Number.POSITIVE_INFINITY) <= ms) this.#stalls.pop();
    this.#stalls.push({ endMs: now, ms });
  }
}
