import { systemClock, unlessAborted } from '../platform/index.ts';
import type { CommandContext } from './host.ts';

/** Cursor to the upper left corner, and nothing on the screen. */
const clearScreen = '\u001b[H\u001b[2J';

/**
 * Looks and prints, every `intervalMs` from the end of one look to the next, until SIGINT: what is being looked at then is given up.
 * `isForPeople`: on a terminal each look takes the place of the one before, elsewhere a blank line parts them.
 */
export async function untilInterrupted<T>(
  intervalMs: number,
  look: () => Promise<T>,
  context: CommandContext,
  isForPeople: boolean,
  print: (found: T) => void,
): Promise<void> {
  const interrupted = new AbortController();
  const forget = context.onInterrupt?.(() => interrupted.abort(new Error('SIGINT')));
  try {
    for (let isFirst = true; !interrupted.signal.aborted; isFirst = false) {
      const found = await unlessAborted(look(), interrupted.signal);
      if (isForPeople && context.isOutTty === true) context.out(clearScreen);
      else if (isForPeople && !isFirst) context.out('\n');
      print(found);
      await systemClock.sleep(intervalMs, interrupted.signal);
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    forget?.();
  }
}
