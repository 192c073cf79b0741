import type { Clock } from '../platform/index.ts';
import { nothing, type Pace } from './pace.ts';

/** Slices asked for at a time while someone waits: the next one is on its way when one comes late. */
const slicesAhead = 2;

/**
 * Whole permits of one rate, in slices; parts of a permit add up. Where a slice would hold less than one permit, the next one
 * is asked for when a permit is due, and holds one.
 */
export class Permits {
  readonly pace: Pace;
  readonly #clock: Clock;
  readonly #onSlice: () => void;
  #recordsPerSecond = 0;
  #available = Number.POSITIVE_INFINITY;
  #fraction = 0;
  #slicesAsked = 0;
  /** When the last slice was due. */
  #dueMs = Number.NEGATIVE_INFINITY;
  #rateChange = new AbortController();

  /** Without a limit at first. `onSlice`: there are permits again. */
  constructor(pace: Pace, clock: Clock, onSlice: () => void) {
    this.pace = pace;
    this.#clock = clock;
    this.#onSlice = onSlice;
  }

  /** Permits that may be taken now; infinite without a limit. */
  get available(): number {
    return this.#available;
  }

  /** 0 = no limit. Slices on their way are worth what the rate is when they come. */
  setRate(recordsPerSecond: number): void {
    const hadLimit = this.#recordsPerSecond > 0;
    this.#recordsPerSecond = recordsPerSecond;
    if (recordsPerSecond === 0) this.#available = Number.POSITIVE_INFINITY;
    else this.#available = hadLimit ? Math.min(this.#available, this.#perSlice()) : 0;
    this.#rateChange.abort();
    this.#rateChange = new AbortController();
  }

  take(count: number): void {
    this.#available -= count;
  }

  /** Takes back what was not used. */
  giveBack(count: number): void {
    this.#available += count;
  }

  /** Nobody waits: more than a slice would be a burst when somebody comes. */
  dropSurplus(): void {
    if (this.#recordsPerSecond > 0) this.#available = Math.min(this.#available, this.#perSlice());
  }

  /** Asks for slices: the next one when half of the last one is gone. */
  refill(someoneWaits: boolean): void {
    if (this.#available >= this.#perSlice() / 2) return;
    const wanted = someoneWaits && this.#available === 0 && !this.#isSlow() ? slicesAhead : 1;
    while (this.#slicesAsked < wanted) {
      this.#slicesAsked += 1;
      // It rejects when it was closed, and those who wait have heard of that.
      this.#nextSlice().catch(nothing);
    }
  }

  close(): Promise<void> {
    this.setRate(0);
    return this.pace.close();
  }

  async #nextSlice(): Promise<void> {
    for (;;) {
      const aheadMs = this.#isSlow() ? this.#dueMs + this.#permitMs() - this.#clock.monotonic() : 0;
      if (aheadMs <= 0) break;
      await this.#clock.sleep(aheadMs, this.#rateChange.signal).catch(nothing);
    }
    const ms = await this.pace.next();
    this.#slicesAsked -= 1;
    this.#add(ms);
    this.#onSlice();
  }

  #add(ms: number): void {
    const nowMs = this.#clock.monotonic();
    // The time a slice takes to come does not put off the next one.
    this.#dueMs = this.#isSlow() ? Math.max(this.#dueMs + this.#permitMs(), nowMs - this.pace.sliceMs) : nowMs;
    const permits = (this.#isSlow() ? 1 : (this.#recordsPerSecond * ms) / 1000) + this.#fraction;
    // Parts that are not binary, as a hundredth, must not add up to just less than a whole.
    const whole = Math.floor(permits + 1e-9);
    this.#fraction = permits - whole;
    this.#available += whole;
  }

  #permitMs(): number {
    return 1000 / this.#recordsPerSecond;
  }

  #isSlow(): boolean {
    return this.#recordsPerSecond > 0 && this.#permitMs() > this.pace.sliceMs;
  }

  #perSlice(): number {
    return Math.max(1, Math.floor((this.#recordsPerSecond * this.pace.sliceMs) / 1000));
  }
}
