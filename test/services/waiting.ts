import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  readonly limitMs?: number;
  readonly everyMs?: number;
  /** Ends the waiting with its own error, e.g. because the process died. */
  readonly giveUp?: () => Promise<void>;
}

/**
 * Asks until the answer is neither `false` nor `undefined` and returns it. What the question throws counts as "not yet"
 * and is quoted when the limit (default 60 s) passes.
 */
export async function waitUntil<T>(
  what: string,
  question: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | undefined>> {
  const limitMs = options.limitMs ?? 60_000;
  const deadline = performance.now() + limitMs;
  let lastError: unknown;
  for (;;) {
    try {
      const answer = await question();
      if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await options.giveUp?.();
    if (performance.now() > deadline) {
      const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
      throw new Error(`waited ${limitMs / 1000} s for ${what}${reason}`, { cause: lastError });
    }
    await delay(options.everyMs ?? 20);
  }
}
