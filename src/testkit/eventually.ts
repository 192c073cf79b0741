import { systemClock } from '../platform/index.ts';

const patienceMs = 50_000;

/** Asks until the answer is yes. */
export async function eventually(what: string, question: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpMs = systemClock.monotonic() + patienceMs;
  while (!(await question())) {
    if (systemClock.monotonic() > giveUpMs) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await systemClock.sleep(20);
  }
}
