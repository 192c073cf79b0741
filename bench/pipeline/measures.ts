/** What one run gives, by name; the unit ends the name (rows are counted as records). */
export type Measures = Readonly<Record<string, number>>;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const upper = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? at(upper) : (at(upper - 1) + at(upper)) / 2;
  return { median: rounded(median), min: rounded(at(0)), max: rounded(at(sorted.length - 1)) };
}

/** The smallest value that at least `share` of the values do not exceed. `sorted` rises. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Four significant digits are more than any of these figures has; whole numbers stay as they are. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));
}

/** Measures of a run that moved `records` in `seconds`. */
export function throughput(run: {
  readonly records: number;
  readonly seconds: number;
  readonly cpuSeconds?: number;
  readonly peakRssBytes?: number;
  readonly startUpMs?: number;
}): Measures {
  return {
    recordsPerSecond: run.records / run.seconds,
    ...(run.cpuSeconds === undefined ? {} : { cpuSecondsPerMillion: (run.cpuSeconds / run.records) * 1e6 }),
    ...(run.peakRssBytes === undefined ? {} : { peakRssMiB: run.peakRssBytes / 1_048_576 }),
    ...(run.startUpMs === undefined ? {} : { startUpMs: run.startUpMs }),
  };
}
