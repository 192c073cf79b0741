/**
 * Checks what receiver mode promises to a client that posts records, from outside: what the client knows of its answers, what
 * stands in the table, what the ledger says. Offsets are the receiver's own, so the client cannot know them.
 */
import { type Facts, findViolations, type Violation as LedgerViolation } from './checker.ts';
import { plainRows } from './input.ts';

/** A record that a client posted, in the order of the posts. Values are never the same twice. */
export interface PostedRecord {
  readonly value: string;
  /**
   * `acknowledged`: answered with 200. `refused`: answered otherwise, or never sent. `unknown`: no answer came; the
   * client does not post it again.
   */
  readonly answer: 'acknowledged' | 'refused' | 'unknown';
}

/** All that is known of one receiver; rows and ledger entries of its topic alone. */
export interface PostedFacts extends Pick<Facts, 'rows' | 'positions' | 'ranges'> {
  readonly posted: readonly PostedRecord[];
}

/** What can be wrong beside what the checker of the ledger knows. */
export const postedViolationKinds = [
  'acknowledgedMissing',
  'refusedStored',
  'storedTwice',
  'neverPosted',
  'postOrder',
  'numberMissing',
] as const;

export interface PostedViolation {
  readonly kind: (typeof postedViolationKinds)[number] | LedgerViolation['kind'];
  readonly text: string;
}

/** Every violation; an empty list is the promise kept. */
export function findPostedViolations({ posted, ...ledger }: PostedFacts): readonly PostedViolation[] {
  return [...findLedgerViolations(ledger), ...findLostOrStrange(posted, ledger), ...findMisnumbered(posted, ledger)];
}

/** Ranges against rows: what a row holds at an offset is taken for what the receiver was given there. */
function findLedgerViolations({ rows, positions, ranges }: Omit<PostedFacts, 'posted'>): readonly PostedViolation[] {
  const produced = new Map<bigint, Facts['produced'][number]>();
  for (const { partition, offset, value } of rows) {
    if (!produced.has(offset)) produced.set(offset, { partition, offset, value, fate: 'committed' });
  }
  return findViolations({
    firstOffsets: [0n],
    produced: [...produced.values()],
    rowsOf: plainRows,
    rows,
    positions,
    ranges,
  });
}

function findLostOrStrange(posted: readonly PostedRecord[], { rows }: Pick<Facts, 'rows'>): PostedViolation[] {
  const found: PostedViolation[] = [];
  const times = new Map<string, number>();
  for (const { value } of rows) times.set(value, (times.get(value) ?? 0) + 1);
  for (const { value, answer } of posted) {
    const count = times.get(value) ?? 0;
    if (answer === 'acknowledged' && count === 0) found.push({ kind: 'acknowledgedMissing', text: `no row: ${value}` });
    if (answer === 'refused' && count > 0) found.push({ kind: 'refusedStored', text: `refused, and stored: ${value}` });
    if (count > 1) found.push({ kind: 'storedTwice', text: `${count} rows: ${value}` });
    times.delete(value);
  }
  for (const value of times.keys()) found.push({ kind: 'neverPosted', text: `a row that nobody posted: ${value}` });
  return found;
}

/** Numbers follow the order of the posts, one after the other from 0. */
function findMisnumbered(
  posted: readonly PostedRecord[],
  { rows, positions }: Pick<Facts, 'rows' | 'positions'>,
): PostedViolation[] {
  const found: PostedViolation[] = [];
  const places = new Map(posted.map(({ value }, place) => [value, place]));
  const byOffset = new Map(rows.map((row) => [row.offset, row]));
  let last = -1;
  for (let offset = 0n; offset < (positions[0]?.nextOffset ?? 0n); offset += 1n) {
    const row = byOffset.get(offset);
    if (row === undefined) {
      found.push({ kind: 'numberMissing', text: `no row has number ${offset}` });
      continue;
    }
    const place = places.get(row.value) ?? last;
    if (place < last) found.push({ kind: 'postOrder', text: `number ${offset} was posted before its predecessor` });
    else last = place;
  }
  return found;
}
