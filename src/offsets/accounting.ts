import { TidemarkError } from '../errors.ts';
import { partitionName } from '../model/index.ts';
import type { RangeCommit } from './store.ts';

/** What the caller counted must add up before it is written for good (I6). Throws INVARIANT_BROKEN. */
export function requireAccounted({ range, held, counts, kind, reason }: RangeCommit): void {
  const { records, produced, rows, dropped, skipped, deadLettered } = counts;
  const isWhole = [records, produced, rows, dropped, skipped, deadLettered].every(
    (count) => Number.isSafeInteger(count) && count >= 0,
  );
  const broken =
    (!isWhole && 'a count is not a whole number') ||
    (records !== produced + dropped + skipped + deadLettered && 'records are not what became of them') ||
    (rows < produced && 'fewer rows than records that gave one') ||
    (BigInt(records) > range.offsetCount && 'more records than offsets') ||
    (kind === 'gap' && (reason === null || records > 0) && 'a gap has a reason and no records') ||
    (held.topic !== range.topic || held.partition !== range.partition ? 'the claim is of another partition' : false);
  if (broken === false) return;
  const { topic, partition, fromOffset, untilOffset } = range;
  throw new TidemarkError(
    'INVARIANT_BROKEN',
    `The commit of ${partitionName(range)} from ${fromOffset} to ${untilOffset} does not add up: ${broken}`,
    { topic, partition, fromOffset, untilOffset },
  );
}
