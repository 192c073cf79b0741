import { type LedgerRange, type Violation, type ViolationKind, violationKinds } from '../crash/checker.ts';
import type { LogContent } from './logContent.ts';

/** Rows of a partition in the order of insertion, as parallel lists. */
export type RowContent = LogContent;

/** Enough to see a pattern in. */
const reportedMax = 20;

/**
 * The rows of a partition, in the order of their insertion, have to be the records of the log, one by one: no gap, no duplicate,
 * in order, nothing uncommitted. Where they are not, says what each deviation is.
 */
export function compareWithLog(partition: number, log: LogContent, rows: RowContent): readonly Violation[] {
  if (isSame(log, rows)) return [];
  const found: Violation[] = [];
  const report = (kind: ViolationKind, offset: number, text: string) => {
    if (found.length < reportedMax) found.push(violation(kind, partition, offset, text));
  };
  const expected = new Map(log.offsets.map((offset, index) => [offset, log.values[index]]));
  const seen = new Set<number>();
  let highest = -1;
  for (const [index, offset] of rows.offsets.entries()) {
    const value = rows.values[index];
    if (!expected.has(offset))
      report('rowUncommitted', offset, `a row of offset ${offset}, where nothing is committed`);
    else if (expected.get(offset) !== value) {
      report('rowUnknown', offset, `a row of offset ${offset} says ${value}, the log ${expected.get(offset)}`);
    }
    if (seen.has(offset)) report('rowDuplicated', offset, `one row too many of offset ${offset}`);
    else if (offset < highest) report('rowOrder', offset, `offset ${offset} was inserted after ${highest}`);
    seen.add(offset);
    if (offset > highest) highest = offset;
  }
  for (const offset of log.offsets) {
    if (!seen.has(offset)) report('rowMissing', offset, `no row of offset ${offset}`);
  }
  return found;
}

/** I6: a range without a transform counts every committed record of the log as one that gave one row. */
export function compareCounts(
  partition: number,
  log: LogContent,
  ranges: readonly LedgerRange[],
): readonly Violation[] {
  return ranges.flatMap((range) => {
    if (range.partition !== partition || range.kind !== 'batch') return [];
    const from = Number(range.fromOffset);
    const records = below(log.offsets, Number(range.untilOffset)) - below(log.offsets, from);
    if (Number(range.records) === records && Number(range.rows) === records) return [];
    const says = `[${from}, ${range.untilOffset}) says ${range.records} records and ${range.rows} rows`;
    return [violation('rangeMiscounted', partition, from, `${says}, the log holds ${records}`)];
  });
}

function isSame(log: LogContent, rows: RowContent): boolean {
  return (
    log.offsets.length === rows.offsets.length &&
    log.offsets.every((offset, index) => rows.offsets[index] === offset && rows.values[index] === log.values[index])
  );
}

/** How many of the rising offsets are below one. */
function below(offsets: readonly number[], offset: number): number {
  let [low, high] = [0, offsets.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function violation(kind: ViolationKind, partition: number, offset: number, text: string): Violation {
  const invariant = violationKinds[kind];
  return { invariant, kind, partition, offset: BigInt(offset), text: `partition ${partition}: ${text}` };
}
