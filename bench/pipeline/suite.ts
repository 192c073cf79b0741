/** The workloads by name, and running them. */
import type { Environment } from './environment.ts';
import { type Measures, type Spread, spreadOf } from './measures.ts';
import { latency } from './workloads/latency.ts';
import { reading } from './workloads/reading.ts';
import { receiver, receiving } from './workloads/receiver.ts';
import { exactlyOnce, parsed, raw, rawKeyed } from './workloads/tables.ts';
import { twoProcesses } from './workloads/twoProcesses.ts';
import type { Contestant, Workload } from './workloads/workload.ts';

export const workloads: readonly Workload[] = [
  raw,
  rawKeyed,
  parsed,
  exactlyOnce,
  latency,
  reading,
  twoProcesses,
  receiving,
  receiver,
];

export interface ContestantResult {
  readonly title: string;
  readonly isOurs: boolean;
  readonly runs: readonly Measures[];
  readonly measures: Readonly<Record<string, Spread>>;
}

export interface WorkloadResult {
  readonly title: string;
  readonly missing: readonly string[];
  readonly contestants: Readonly<Record<string, ContestantResult>>;
}

/** Contestants take turns, and another one begins each round: what the machine does meanwhile hits all of them alike. */
export async function runWorkload(workload: Workload, environment: Environment): Promise<WorkloadResult> {
  console.error(`\n${workload.title}`);
  const { contestants, missing = [] } = await workload.open(environment);
  const runs = new Map<Contestant, Measures[]>(contestants.map((contestant) => [contestant, []]));
  for (let run = 0; run < environment.settings.runs; run++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(run + turn) % contestants.length];
      if (contestant === undefined) continue;
      const measures = await contestant.measure(run);
      runs.get(contestant)?.push(measures);
      console.error(`  ${run + 1} ${contestant.title}: ${inWords(measures)}`);
    }
  }
  const results = contestants.map((contestant) => [contestant.name, resultOf(contestant, runs.get(contestant) ?? [])]);
  return { title: workload.title, missing, contestants: Object.fromEntries(results) };
}

function resultOf({ title, isOurs }: Contestant, runs: readonly Measures[]): ContestantResult {
  const names = Object.keys(runs[0] ?? {});
  const measures = names.map((name) => [name, spreadOf(runs.map((run) => run[name] ?? Number.NaN))]);
  return { title, isOurs, runs, measures: Object.fromEntries(measures) };
}

function inWords(measures: Measures): string {
  return Object.entries(measures)
    .map(([name, value]) => `${name} ${Math.abs(value) >= 1_000 ? Math.round(value) : value.toPrecision(3)}`)
    .join(', ');
}
