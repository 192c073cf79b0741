/** What limits the records of a batch, before the limits of size. */
export interface RateLimits {
  /** Records per second over all partitions, from back-pressure; undefined = none. */
  readonly rate: number | undefined;
  /** Records per second and partition; 0 = none. */
  readonly maxRatePerPartition: number;
}

/**
 * Records per second each partition may take: Spark's `maxMessagesPerPartition`, to the formula. A back-pressure rate is
 * shared out by lag and capped by `maxRatePerPartition`; without one that cap alone counts. undefined = no limit at all, which is
 * also the answer when nothing lags (Spark's 0/0).
 */
export function recordsPerSecond(lags: readonly bigint[], limits: RateLimits): readonly number[] | undefined {
  const { rate, maxRatePerPartition } = limits;
  let perPartition: number[];
  if (rate !== undefined && rate > 0) {
    const total = lags.reduce((sum, lag) => sum + lag, 0n);
    if (total === 0n) return undefined;
    perPartition = lags.map((lag) => {
      const share = (Number(lag) / Number(total)) * rate;
      return maxRatePerPartition > 0 ? Math.min(share, maxRatePerPartition) : share;
    });
  } else {
    perPartition = lags.map(() => maxRatePerPartition);
  }
  return perPartition.some((limit) => limit > 0) ? perPartition : undefined;
}

/** Records a batch of an interval may take of each partition: the floor of seconds × rate, at least `minRatePerPartition`. */
export function recordsPerBatch(
  lags: readonly bigint[],
  limits: RateLimits,
  intervalMs: number,
  minRatePerPartition: number,
): readonly number[] | undefined {
  return recordsPerSecond(lags, limits)?.map((limit) =>
    Math.max(Math.floor((intervalMs / 1000) * limit), minRatePerPartition),
  );
}

/** The longest pause whose allowance may be taken at once, in continuous mode. */
const burstMs = 100;

/**
 * One partition's allowance in continuous mode: the interval of the formulas is the real time since the last plan, and what
 * a pause saved up is worth at most 100 ms.
 */
export class TokenBucket {
  #tokens = 0;
  #filledMs: number | undefined;

  /** Whole records that may be taken now at this rate. */
  available(recordsPerSecond: number, nowMs: number): number {
    const sinceMs = this.#filledMs === undefined ? burstMs : nowMs - this.#filledMs;
    this.#filledMs = nowMs;
    const most = Math.max(1, (recordsPerSecond * burstMs) / 1000);
    this.#tokens = Math.min(most, this.#tokens + (recordsPerSecond * sinceMs) / 1000);
    return Math.floor(this.#tokens);
  }

  take(records: number): void {
    this.#tokens -= records;
  }

  /** How long until a whole record may be taken. */
  waitMs(recordsPerSecond: number): number {
    return Math.max(1, Math.ceil(((1 - this.#tokens) / recordsPerSecond) * 1000));
  }
}
