import { TidemarkError } from '../errors.ts';
import { OffsetRange, partitionName } from '../model/index.ts';

/**
 * Resources ran out, a limit was hit, a statement took too long (PostgreSQL's classes 53 and 54, and 57014): less at once may
 * pass. Not where a record is named: then it is the record that is over a limit.
 */
export function isAboutSize(error: TidemarkError): boolean {
  const state = error.foreignCode ?? '';
  return error.offset === undefined && (state.startsWith('53') || state.startsWith('54') || state === '57014');
}

/**
 * What to try in one transaction after the ranges of it were too much: the first half of each; of ranges that are one offset
 * each, the first half of them (undefined = not in this transaction). What is left out is planned again. Undefined when
 * there is nothing smaller.
 */
export function smaller(ranges: readonly OffsetRange[]): readonly (OffsetRange | undefined)[] | undefined {
  if (ranges.some((range) => range.offsetCount > 1n)) return ranges.map(firstHalf);
  if (ranges.length < 2) return undefined;
  return ranges.map((range, index) => (index < ranges.length / 2 ? range : undefined));
}

function firstHalf({ topic, partition, fromOffset, offsetCount }: OffsetRange): OffsetRange {
  return new OffsetRange(topic, partition, fromOffset, fromOffset + (offsetCount + 1n) / 2n);
}

/**
 * Rows that were refused without a word about which: the error gets the ranges they are from. When a transaction of a
 * single offset is over a limit, that is its record, and the record policy applies.
 */
export function placeRefusal(error: TidemarkError, ranges: readonly OffsetRange[]): TidemarkError {
  const [range] = ranges;
  if (error.code !== 'SINK_REFUSED' || error.offset !== undefined || range === undefined) return error;
  const { topic, partition, fromOffset, untilOffset } = range;
  const isRecord = isAboutSize(error) && range.offsetCount === 1n;
  const places = ranges.map((one) => `[${one.fromOffset}, ${one.untilOffset}) of ${partitionName(one)}`);
  return new TidemarkError(error.code, `${error.message} (offsets ${places.join(', ')})`, {
    ...(ranges.length > 1 ? {} : { topic, partition, fromOffset, untilOffset }),
    ...(ranges.length === 1 && isRecord ? { offset: fromOffset } : {}),
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.foreignCode === undefined ? {} : { foreignCode: error.foreignCode }),
    cause: error,
  });
}
