import Bottleneck from 'bottleneck';
import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { backoffMs, type Clock, withDeadline } from '../platform/index.ts';

/** Distance of two slices. Shorter ones bottleneck cannot hold, longer ones are bursts. */
export const sliceMs = 10;

/** A slice that has not come by then never will: where a hundred processes share a pace it takes two hundred to be one's turn. */
const slicesWaitedMax = 500;
const retryMs = { base: 100, cap: 5000 };
/** Of what late slices owe so much is made up for, by slices that are longer by a tenth. */
const owedMsMax = 200;

/** What lets one caller pass every `sliceMs`. */
export interface SliceSource {
  /** In call order: the ms that the slice is worth. When it rejects the source is of no use any more. */
  next(): Promise<number>;
  close(): void;
}

/** `startsAnew`: forget where the pace stood before. */
export type OpenSliceSource = (startsAnew: boolean) => Promise<SliceSource>;

/**
 * The pace of this process alone. bottleneck loses the time by which a slice comes later than the next one was due, on a busy
 * event loop some of it all the time. As long as slices are asked for without a break, they make up for it.
 */
export function openLocalSlices(clock: Clock): SliceSource {
  const limiter = new Bottleneck({ minTime: sliceMs });
  let asked = 0;
  let owedMs = 0;
  let lastMs = 0;
  const next = async () => {
    if (asked === 0) {
      lastMs = Number.POSITIVE_INFINITY;
      owedMs = 0;
    }
    asked += 1;
    await limiter.schedule(nothing);
    asked -= 1;
    const nowMs = clock.monotonic();
    if (nowMs > lastMs) owedMs = Math.min(owedMs + nowMs - lastMs - sliceMs, owedMsMax);
    lastMs = nowMs;
    const extraMs = Math.max(0, Math.min(owedMs, sliceMs / 10));
    owedMs -= extraMs;
    return sliceMs + extraMs;
  };
  return { next, close: () => dropJobs(limiter) };
}

export async function nothing(): Promise<void> {}

/** Ends a limiter: its jobs reject. */
export function dropJobs(limiter: Bottleneck): void {
  limiter.stop({ dropWaitingJobs: true }).catch(nothing);
}

/**
 * Slices at equal distances, whatever becomes of their source: one that fails is opened again, at first at once, then after
 * 100 ms to 5 s. bottleneck reckons with the wall clock, so a clock that is set back makes it wait for as long: that is noticed
 * by the slice that does not come, and the pace starts anew.
 */
export class Pace {
  readonly #open: OpenSliceSource;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #source: Promise<SliceSource>;
  #failuresInARow = 0;
  #failing: TidemarkError | undefined;

  /** Of a slice. */
  readonly sliceMs: number;

  private constructor(open: OpenSliceSource, sliceMs: number, clock: Clock, source: SliceSource) {
    this.#open = open;
    this.sliceMs = sliceMs;
    this.#clock = clock;
    this.#source = Promise.resolve(source);
  }

  /** Rejects with what the first opening rejects with. */
  static async start(open: OpenSliceSource, sliceMs: number, clock: Clock): Promise<Pace> {
    return new Pace(open, sliceMs, clock, await open(false));
  }

  /** Why no slices come at present; undefined when they do. */
  get failing(): TidemarkError | undefined {
    return this.#failing;
  }

  /** Resolves when the next slice may pass, with the ms it is worth; rejects only when the pace was closed. */
  async next(): Promise<number> {
    const waitMsMax = slicesWaitedMax * this.sliceMs;
    for (;;) {
      const current = this.#source;
      const source = await current;
      let isLate = false;
      const late = () => {
        isLate = true;
        return lateSlice(waitMsMax);
      };
      try {
        const ms = await withDeadline(source.next(), waitMsMax, this.#clock, late);
        this.#failuresInARow = 0;
        this.#failing = undefined;
        return ms;
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        // Two slices may be waited for: who is second to notice finds another source.
        if (this.#source !== current) continue;
        source.close();
        this.#note(error);
        this.#source = this.#openAgain(isLate);
      }
    }
  }

  /** Whoever waits for a slice is rejected. */
  async close(): Promise<void> {
    this.#closing.abort();
    (await this.#source.catch(nothing))?.close();
  }

  async #openAgain(startsAnew: boolean): Promise<SliceSource> {
    for (;;) {
      if (this.#failuresInARow > 1) {
        const delayMs = backoffMs(this.#failuresInARow - 1, retryMs.base, retryMs.cap);
        await this.#clock.sleep(delayMs, this.#closing.signal);
      }
      try {
        return await this.#open(startsAnew);
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        this.#note(error);
      }
    }
  }

  #note(error: unknown): void {
    this.#failuresInARow += 1;
    this.#failing = isTidemarkError(error)
      ? error
      : new TidemarkError('RATE_LIMITER_UNREACHABLE', `The pace was lost: ${messageOf(error)}`, { cause: error });
  }
}

function lateSlice(waitMsMax: number): TidemarkError {
  return new TidemarkError('RATE_LIMITER_UNREACHABLE', `No slice of the rate came within ${waitMsMax} ms`, {
    retriable: true,
    hint: 'The clocks of machines that share a rate must agree; check Redis.',
  });
}
