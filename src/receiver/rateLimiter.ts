/**
 * How many records per second a receiver may take: Spark's `RateLimiter`, smooth and one permit a record.
 *
 * bottleneck sets the pace, one job a slice of 10 ms whatever the number of records, because it does some hundred jobs a
 * second. A slice is worth 10 ms of the rate it meets when it comes, so a new rate counts at once.
 */
import { TidemarkError } from '../errors.ts';
import type { Clock } from '../platform/index.ts';
import { openLocalSlices, Pace, sliceMs } from './pace.ts';
import { Permits } from './permits.ts';
import { openSharedSlices } from './sharedPacing.ts';

export interface RateLimiterOptions {
  /** Records per second at most, from `maxRate`; 0 = unlimited. */
  readonly maxRate: number;
  /** Records per second until there is an estimate, not above `maxRate`; 0 = `maxRate`. */
  readonly initialRate: number;
  readonly clock: Clock;
  /** All processes that give the same name take `maxRate` records per second together; each still has a rate of its own below it. */
  readonly shared?: {
    readonly redisUrl: string;
    /** Name of the pipeline. */
    readonly name: string;
  };
}

interface Waiter {
  missing: number;
  resolve(): void;
  reject(reason: unknown): void;
}

export class RateLimiter {
  readonly #maxRate: number;
  readonly #waiting = new Set<Waiter>();
  /** Of this process. */
  readonly #own: Permits;
  /** Of all that share the rate. */
  readonly #shared: Permits | undefined;
  #currentRate = 0;
  #isClosed = false;

  private constructor(maxRate: number, clock: Clock, pace: Pace, sharedPace: Pace | undefined) {
    const serve = () => this.#serve();
    this.#maxRate = maxRate;
    this.#own = new Permits(pace, clock, serve);
    this.#shared = sharedPace === undefined ? undefined : new Permits(sharedPace, clock, serve);
    this.#shared?.setRate(maxRate);
  }

  /**
   * Connects to Redis where the rate is shared.
   *
   * Errors: `CONFIG_INVALID`: `shared` without `maxRate`, or a URL that is none of Redis; `RATE_LIMITER_UNREACHABLE`: Redis
   * does not answer.
   */
  static async open({ maxRate, initialRate, clock, shared }: RateLimiterOptions): Promise<RateLimiter> {
    const sharedPace = shared === undefined ? undefined : await openSharedPace(shared, maxRate, clock);
    const ownPace = await Pace.start(async () => openLocalSlices(clock), sliceMs, clock);
    const limiter = new RateLimiter(maxRate, clock, ownPace, sharedPace);
    limiter.#setRate(initialRate > 0 ? initialRate : maxRate);
    return limiter;
  }

  /** Records per second this process may take at present; 0 = unlimited. */
  get currentRate(): number {
    return this.#currentRate;
  }

  /** Why nobody gets a permit at present: Redis is away. Whoever waits goes on waiting, and passes when it is back. */
  get failing(): TidemarkError | undefined {
    return this.#shared?.pace.failing;
  }

  /**
   * Asks for permission to take `records` records: undefined when they may be taken now, otherwise a promise that resolves
   * when they may. In call order; more records than a slice holds are gathered over several. Rejects with the signal's
   * reason, and with `RECEIVER_STOPPED` when the limiter is closed.
   */
  acquire(records: number, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#isClosed) return Promise.reject(closed());
    if (signal?.aborted) return Promise.reject(signal.reason);
    // Nothing is left while someone waits: nobody is overtaken.
    const taken = this.#take(records);
    this.#refill();
    return taken < records ? this.#wait(records, taken, signal) : undefined;
  }

  /** A new rate, from back-pressure; it never goes above `maxRate`. 0 and less are ignored, as Spark does. */
  updateRate(recordsPerSecond: number): void {
    if (!(recordsPerSecond > 0)) return;
    this.#setRate(recordsPerSecond);
    this.#serve();
  }

  /** Whoever waits is rejected with `RECEIVER_STOPPED`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiting) waiter.reject(closed());
    this.#waiting.clear();
    await Promise.all([this.#own.close(), this.#shared?.close()]);
  }

  #setRate(recordsPerSecond: number): void {
    const rate = this.#maxRate > 0 ? Math.min(recordsPerSecond, this.#maxRate) : recordsPerSecond;
    this.#currentRate = rate;
    // What all may take together is no rate of this process: the shared pace alone sees to it.
    this.#own.setRate(this.#shared !== undefined && rate === this.#maxRate ? 0 : rate);
  }

  #wait(records: number, taken: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = () => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        missing: records - taken,
        resolve: () => {
          forget();
          resolve();
        },
        reject: (reason) => {
          forget();
          reject(reason);
        },
      };
      const onAbort = () => {
        this.#waiting.delete(waiter);
        this.#own.giveBack(records - waiter.missing);
        this.#shared?.giveBack(records - waiter.missing);
        this.#own.dropSurplus();
        waiter.reject(signal?.reason);
        this.#serve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
      this.#refill();
    });
  }

  /** Takes as many as there are, at most `wanted`. */
  #take(wanted: number): number {
    const count = Math.min(wanted, this.#own.available, this.#shared?.available ?? wanted);
    this.#own.take(count);
    this.#shared?.take(count);
    return count;
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      waiter.missing -= this.#take(waiter.missing);
      if (waiter.missing > 0) break;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
    // What Redis handed out is not taken from the others in vain: it is kept.
    if (this.#waiting.size === 0) this.#own.dropSurplus();
    this.#refill();
  }

  #refill(): void {
    if (this.#isClosed) return;
    this.#own.refill(this.#waiting.size > 0);
    this.#shared?.refill(this.#waiting.size > 0);
  }
}

async function openSharedPace(
  shared: NonNullable<RateLimiterOptions['shared']>,
  maxRate: number,
  clock: Clock,
): Promise<Pace> {
  if (maxRate === 0) {
    throw new TidemarkError('CONFIG_INVALID', `${shared.name}: a rate is to be shared, but there is none`, {
      hint: 'Give maxRate, the records per second of all processes together.',
    });
  }
  // All processes have this slice, so below 100 records per second it is as long as a record takes.
  const sliceOfAllMs = Math.max(sliceMs, Math.ceil(1000 / maxRate));
  const open = (startsAnew: boolean) => openSharedSlices({ ...shared, sliceMs: sliceOfAllMs, startsAnew, clock });
  return Pace.start(open, sliceOfAllMs, clock);
}

function closed(): TidemarkError {
  return new TidemarkError('RECEIVER_STOPPED', 'The rate limiter was closed');
}
