import type { EventHub } from '../telemetry/index.ts';
import { type BatchMeasurement, PidRateEstimator } from './pidRateEstimator.ts';

export interface BackpressureOptions {
  readonly enabled: boolean;
  /** Records per second until there is an estimate; 0 = none. */
  readonly initialRate: number;
  readonly proportional: number;
  readonly integral: number;
  readonly derived: number;
  readonly minRate: number;
}

/**
 * The rate that batches are planned with, in records per second over all partitions. The estimate is truncated to a whole number, as
 * Spark publishes it; until there is one, `initialRate` counts.
 */
export class RateController {
  readonly #estimator: PidRateEstimator | undefined;
  readonly #initialRate: number;
  readonly #events: EventHub;
  #latest = -1;
  #completedMs: number | undefined;

  /** `intervalMs` 0 = continuous: the interval in the formulas is then the time between ends of batches. */
  constructor(options: BackpressureOptions, intervalMs: number, events: EventHub) {
    this.#estimator = options.enabled
      ? new PidRateEstimator({ ...options, batchIntervalMs: intervalMs > 0 ? intervalMs : 1000 })
      : undefined;
    this.#initialRate = options.initialRate;
    this.#events = events;
    this.#continuous = intervalMs === 0;
  }

  readonly #continuous: boolean;

  /** undefined = no limit. */
  current(): number | undefined {
    if (this.#estimator === undefined) return undefined;
    const rate = this.#latest > 0 ? this.#latest : this.#initialRate;
    return rate > 0 ? rate : undefined;
  }

  completed(measured: BatchMeasurement): void {
    if (this.#estimator === undefined) return;
    const sinceMs = measured.timeMs - (this.#completedMs ?? measured.timeMs);
    this.#completedMs = measured.timeMs;
    const interval = this.#continuous ? { batchIntervalMs: Math.max(1, sinceMs) } : {};
    const rate = this.#estimator.compute({ ...measured, ...interval });
    if (rate === undefined || Math.trunc(rate) === this.#latest) return;
    this.#latest = Math.trunc(rate);
    this.#events.emit('rateChanged', { recordsPerSecond: this.#latest });
  }
}
