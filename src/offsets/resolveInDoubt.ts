import type { OffsetRange } from '../model/index.ts';
import type { CommittedRange } from './ledgerEntries.ts';
import type { HeldClaim, StoredOffset } from './store.ts';

/**
 * What became of a commit whose answer is missing, from the row as it stands after a fresh claim of ours: at the end of the range
 * it happened, at its start it is to be done again, anywhere else somebody moved on.
 */
export function resolveInDoubt(
  row: Pick<StoredOffset, 'claim' | 'nextOffset'>,
  held: HeldClaim,
  range: OffsetRange,
): 'committed' | 'redo' | 'moved' | 'fenced' {
  if (row.claim !== held.claim) return 'fenced';
  if (row.nextOffset === range.untilOffset) return 'committed';
  return row.nextOffset === range.fromOffset ? 'redo' : 'moved';
}

/**
 * Why a row stands lower than what we committed. When the newest history row ends exactly there, rows and ledger went
 * back together: a restore, or a fail-over to a late replica. Otherwise someone changed the row by hand.
 */
export function explainLowerPosition(
  row: Pick<StoredOffset, 'nextOffset' | 'incarnation'>,
  newest: Pick<CommittedRange, 'untilOffset' | 'incarnation'> | undefined,
): 'restored' | 'tampered' {
  const endsThere = newest?.untilOffset === row.nextOffset && newest.incarnation === row.incarnation;
  return endsThere ? 'restored' : 'tampered';
}
