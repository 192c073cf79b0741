import { type ErrorCode, TidemarkError } from '../errors.ts';
import { partitionName } from '../model/index.ts';
import type { Slot } from '../scheduler/index.ts';

/** Codes that say records are lost or are not the ones that were stored (I7). */
const lossCodes: ReadonlySet<ErrorCode> = new Set([
  'DATA_LOSS',
  'KAFKA_OFFSET_OUT_OF_RANGE',
  'KAFKA_TOPIC_RECREATED',
  'KAFKA_LOG_TRUNCATED',
  'LEDGER_AHEAD',
]);

/**
 * The cause a run ends with when partitions are parked: data loss only when it is the cause of all of them, or when the
 * run was to go to the end, where any loss is the worst there is.
 */
export function worstCause(parked: readonly Slot[], untilEnd: boolean): TidemarkError | undefined {
  const causes = parked.flatMap((slot) => (slot.error === undefined ? [] : [{ slot, error: slot.error }]));
  const losses = causes.filter(({ error }) => lossCodes.has(error.code));
  const others = causes.filter(({ error }) => !lossCodes.has(error.code));
  const worst = untilEnd ? (losses[0] ?? others[0]) : (others[0] ?? losses[0]);
  if (worst === undefined) return undefined;
  const { slot, error } = worst;
  const more = causes.length > 1 ? ` (and ${causes.length - 1} more)` : '';
  return new TidemarkError(
    error.code,
    `${partitionName(slot)} is parked at offset ${slot.position}${more}: ${error.message}`,
    {
      topic: slot.topic,
      partition: slot.partition,
      offset: error.offset ?? slot.position,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.foreignCode === undefined ? {} : { foreignCode: error.foreignCode }),
      cause: error,
    },
  );
}
