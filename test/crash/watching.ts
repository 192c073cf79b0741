import { expect } from 'vitest';
import type { Pipeline, PipelineEvents } from '../../src/index.ts';
import { expectKept, type Trial, waitUntilDone } from './trial.ts';

/**
 * Work for some four seconds on the shared input, in more than a hundred ranges: there is some left when something happens, also
 * on a machine that takes a second to connect to its database.
 */
export const paced = { batch: { maxRatePerPartition: 50 } };

/** Resolves at the n-th event of that name from now on. */
export function nth<K extends keyof PipelineEvents>(
  pipeline: Pipeline,
  name: K,
  count = 1,
): Promise<PipelineEvents[K]> {
  let left = count;
  return new Promise((resolve) => {
    const off = pipeline.events.on(name, (event) => {
      left -= 1;
      if (left > 0) return;
      off();
      resolve(event);
    });
  });
}

/** Every event of that name from now on. */
export function all<K extends keyof PipelineEvents>(pipeline: Pipeline, name: K): readonly PipelineEvents[K][] {
  const events: PipelineEvents[K][] = [];
  pipeline.events.on(name, (event) => events.push(event));
  return events;
}

/** Waits for the end of the work, stops, and expects the promise to be kept. */
export async function expectKeptAtEnd(trial: Trial, ...pipelines: readonly Pipeline[]): Promise<void> {
  await waitUntilDone(trial);
  for (const pipeline of pipelines) await pipeline.stop();
  for (const pipeline of pipelines) expect((await pipeline.finished).unfinished).toEqual([]);
  await expectKept(trial);
}
