import type { DaemonOutcome } from '../daemon/index.ts';
import { noCounts, partitionName, type RangeCounts } from '../model/index.ts';
import type { Pipeline } from '../pipeline/index.ts';
import { errorJson } from './errorOutput.ts';
import type { ExitCode } from './exitCodes.ts';
import { jsonLine } from './host.ts';

/** What this run committed, by pipeline. */
export class RunCounts {
  readonly #byPipeline = new Map<string, RangeCounts>();

  constructor(pipelines: readonly Pipeline[]) {
    for (const { name, events } of pipelines) {
      const sums = noCounts();
      this.#byPipeline.set(name, sums);
      events.on('rangeCommitted', ({ counts }) => {
        for (const key of Object.keys(sums) as (keyof RangeCounts)[]) sums[key] += counts[key];
      });
    }
  }

  of(pipeline: string): Readonly<RangeCounts> {
    return this.#byPipeline.get(pipeline) ?? noCounts();
  }
}

/** How a run ended, for standard output: a line for each pipeline, or JSON. */
export function runReport(
  outcome: DaemonOutcome,
  counts: RunCounts,
  exitCode: ExitCode,
  asJson: boolean,
  redact: (text: string) => string,
): string {
  if (asJson) {
    const pipelines = outcome.pipelines.map(({ pipeline, error, unfinished }) => ({
      pipeline,
      state: stateOf(outcome, pipeline),
      counts: counts.of(pipeline),
      unfinished: unfinished.map(({ topic, partition, state, nextOffset, reason }) => ({
        topic,
        partition,
        state,
        nextOffset,
        reason: reason === undefined ? undefined : redact(reason),
      })),
      ...(error === undefined ? {} : { error: errorJson(error, redact) }),
    }));
    return jsonLine({ pipelines, signal: outcome.signal, exitCode });
  }
  return outcome.pipelines
    .map(({ pipeline, unfinished }) => {
      const { records, rows, dropped, skipped } = counts.of(pipeline);
      const stuck = unfinished.map(
        (partition) => `${partitionName(partition)} ${partition.state} at ${partition.nextOffset}`,
      );
      const parts = [`${records} records`, `${rows} rows`, `${dropped} dropped`, `${skipped} skipped`, ...stuck];
      return `${pipeline}: ${stateOf(outcome, pipeline)}, ${parts.join(', ')}\n`;
    })
    .join('');
}

function stateOf({ pipelines, signal }: DaemonOutcome, name: string): 'done' | 'stopped' | 'failed' | 'unfinished' {
  const outcome = pipelines.find(({ pipeline }) => pipeline === name);
  if (outcome?.error !== undefined) return 'failed';
  if (signal !== undefined) return 'stopped';
  return outcome !== undefined && outcome.unfinished.length > 0 ? 'unfinished' : 'done';
}
