import type { Clock } from '../platform/index.ts';

/** Runs `task` every `intervalMs` (from end to start) until aborted; a failure goes to `onFailure` and the next round comes all the same. */
export async function periodically(
  intervalMs: number,
  clock: Clock,
  signal: AbortSignal,
  task: () => Promise<void>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(intervalMs, signal);
      await task();
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
    }
  }
}
