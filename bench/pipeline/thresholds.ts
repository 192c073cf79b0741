/** What the figures must reach is data, in bench/baseline.json; here it is compared with what was measured. */
import { readFileSync } from 'node:fs';
import { rounded, type Spread, spreadOf } from './measures.ts';
import type { WorkloadResult } from './suite.ts';

export type Results = Readonly<Record<string, WorkloadResult>>;

/** One of: a measure, the ratio of two measures, or the greatest value of a measure in any run of ours. */
export interface Threshold {
  readonly name: string;
  /** `workload/contestant/measure` */
  readonly of?: string;
  /** Divide by that. */
  readonly to?: string;
  readonly greatest?: string;
  /** Neither: the figure is shown and cannot miss. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Verdict extends Threshold {
  /** Of the medians. Undefined where it was not measured. */
  readonly value: number | undefined;
  /** Over the rounds; of a ratio, the ratios within each round. */
  readonly spread: Spread | undefined;
  readonly outcome: 'pass' | 'miss' | 'shown' | 'not measured';
}

export function readThresholds(): readonly Threshold[] {
  const file = new URL('../baseline.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { thresholds: Threshold[] }).thresholds;
}

export function judge(threshold: Threshold, results: Results): Verdict {
  const figures = figuresOf(threshold, results);
  if (figures === undefined) return { ...threshold, value: undefined, spread: undefined, outcome: 'not measured' };
  const value = rounded(figures.value);
  const spread = spreadOf(figures.rounds);
  const { atLeast, atMost } = threshold;
  if (atLeast === undefined && atMost === undefined) return { ...threshold, value, spread, outcome: 'shown' };
  const isReached = value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
  return { ...threshold, value, spread, outcome: isReached ? 'pass' : 'miss' };
}

interface Figures {
  readonly value: number;
  readonly rounds: readonly number[];
}

function figuresOf({ of, to, greatest }: Threshold, results: Results): Figures | undefined {
  if (greatest !== undefined) return greatestOf(greatest, results);
  const figures = medianOf(of, results);
  if (figures === undefined || to === undefined) return figures;
  const base = medianOf(to, results);
  if (base === undefined) return undefined;
  const rounds = figures.rounds.map((value, round) => value / (base.rounds[round] ?? Number.NaN));
  return { value: figures.value / base.value, rounds };
}

function medianOf(path: string | undefined, results: Results): Figures | undefined {
  const [workload = '', contestant = '', measure = ''] = (path ?? '').split('/');
  const result = results[workload]?.contestants[contestant];
  const spread = result?.measures[measure];
  if (result === undefined || spread === undefined) return undefined;
  return { value: spread.median, rounds: result.runs.map((run) => run[measure] ?? Number.NaN) };
}

function greatestOf(measure: string, results: Results): Figures | undefined {
  const ours = Object.values(results)
    .flatMap(({ contestants }) => Object.values(contestants))
    .filter(({ isOurs }) => isOurs);
  const values = ours.flatMap(({ runs }) => runs.flatMap((run) => run[measure] ?? []));
  return values.length === 0 ? undefined : { value: Math.max(...values), rounds: values };
}
