import type { TidemarkError } from '../errors.ts';
import type { OffsetRange } from '../model/index.ts';
import { type ActionEnvironment, asTidemarkError, commitGap, park } from './partitionActions.ts';
import type { Slot } from './slot.ts';

/**
 * Passes over offsets that an operator ordered to skip, where an idle partition stands in front of them. Answers an error when
 * the partition turns out to be another's.
 */
export async function skipAhead(slot: Slot, environment: ActionEnvironment): Promise<TidemarkError | undefined> {
  const skip = slot.nextSkip(slot.position);
  if (skip === undefined || slot.position < skip.fromOffset) return undefined;
  // Never beyond what is stable: a position past the end of the log would look like a lost log.
  const stableUntil = environment.source.bounds(slot)?.lastStableOffset ?? slot.position;
  const untilOffset = skip.untilOffset < stableUntil ? skip.untilOffset : stableUntil;
  if (untilOffset <= slot.position) return undefined;
  slot.state = 'busy';
  try {
    await commitGap(slot, untilOffset, skip.reason, environment);
    environment.source.seek(slot, untilOffset);
    slot.forgetPlans();
    return undefined;
  } catch (thrown) {
    environment.signal.throwIfAborted();
    const error = asTidemarkError(thrown);
    return error.code === 'LEDGER_FENCED' ? error : await park(slot, error, environment);
  } finally {
    slot.endRun();
  }
}

/** Whether a plan goes over offsets that are to be skipped: it was made before the order. */
export function meetsSkip(slot: Slot, ranges: readonly OffsetRange[]): boolean {
  const skip = slot.nextSkip(slot.position);
  return skip !== undefined && ranges.some(({ untilOffset }) => untilOffset > skip.fromOffset);
}
