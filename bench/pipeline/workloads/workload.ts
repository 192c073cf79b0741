import type { Environment } from '../environment.ts';
import type { Measures } from '../measures.ts';

/** Somebody who does the work of a workload. */
export interface Contestant {
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** tidemark as it is used: the limit of memory is for these. */
  readonly isOurs: boolean;
  /** One timed run; `run` counts from 0. */
  measure(run: number): Promise<Measures>;
}

/** What is compared in turns: every contestant once, then every contestant again. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  /** Prepares what is not measured. */
  open(environment: Environment): Promise<Opened>;
}

export interface Opened {
  readonly contestants: readonly Contestant[];
  /** What could not be measured here, and what it takes. */
  readonly missing?: readonly string[];
}
