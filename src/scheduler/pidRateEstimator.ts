import { TidemarkError } from '../errors.ts';

export interface PidOptions {
  /** Batch interval in ms, > 0. In continuous mode the time since the last plan is given with each call instead. */
  readonly batchIntervalMs: number;
  readonly proportional: number;
  readonly integral: number;
  readonly derived: number;
  /** Lowest estimate, records per second, > 0. */
  readonly minRate: number;
}

/** What a completed batch tells about the speed of processing. */
export interface BatchMeasurement {
  /** End of processing, ms. */
  readonly timeMs: number;
  readonly records: number;
  readonly processingDelayMs: number;
  readonly schedulingDelayMs: number;
  /** Overrides `batchIntervalMs` of the options. */
  readonly batchIntervalMs?: number;
}

/**
 * Estimates how many records per second the pipeline can process: Spark Streaming's PID controller
 * (`PIDRateEstimator`), to the formula. The error is the rate we ran at minus the rate we managed; the backlog that the scheduling
 * delay stands for is the accumulated error. The first valid measurement only sets the starting point.
 */
export class PidRateEstimator {
  readonly #options: PidOptions;
  #latestTimeMs = -1;
  #latestRate = -1;
  #latestError = -1;
  #first = true;

  constructor(options: PidOptions) {
    for (const [name, ok, allowed] of [
      ['batchIntervalMs', options.batchIntervalMs > 0, '> 0'],
      ['proportional', options.proportional >= 0, '≥ 0'],
      ['integral', options.integral >= 0, '≥ 0'],
      ['derived', options.derived >= 0, '≥ 0'],
      ['minRate', options.minRate > 0, '> 0'],
    ] as const) {
      if (!ok) {
        throw new TidemarkError('CONFIG_INVALID', `batch.backpressure ${name}: ${options[name]} is not ${allowed}`);
      }
    }
    this.#options = options;
  }

  /** The new rate in records per second, or undefined when the measurement says nothing. */
  compute(measured: BatchMeasurement): number | undefined {
    const { timeMs, records, processingDelayMs, schedulingDelayMs } = measured;
    const { proportional, integral, derived, minRate } = this.#options;
    const intervalMs = measured.batchIntervalMs ?? this.#options.batchIntervalMs;
    if (!(timeMs > this.#latestTimeMs && records > 0 && processingDelayMs > 0)) return undefined;
    const sinceUpdateSeconds = (timeMs - this.#latestTimeMs) / 1000;
    const processingRate = (records / processingDelayMs) * 1000;
    const error = this.#latestRate - processingRate;
    const historicalError = (schedulingDelayMs * processingRate) / intervalMs;
    const errorChange = (error - this.#latestError) / sinceUpdateSeconds;
    this.#latestTimeMs = timeMs;
    if (this.#first) {
      this.#first = false;
      this.#latestRate = processingRate;
      this.#latestError = 0;
      return undefined;
    }
    const rate = this.#latestRate - proportional * error - integral * historicalError - derived * errorChange;
    this.#latestRate = Math.max(rate, minRate);
    this.#latestError = error;
    return this.#latestRate;
  }
}
