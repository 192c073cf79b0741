import { TidemarkError } from '../../errors.ts';
import { noCounts, partitionName, type RangeCounts, type TopicPartition } from '../../model/index.ts';
import type { CommittedRange, RangeCommit, StoredOffset } from '../../offsets/index.ts';
import type { Clock } from '../../platform/index.ts';

/** A row of the ledger; `changedMs` by the monotonic clock. */
export type LedgerRow = Omit<StoredOffset, 'ageMs'> & { readonly changedMs: number };

/** A row of the history; `batchTimeMs` is the first one's where several were merged. */
export type HistoryRow = CommittedRange & { readonly batchTimeMs: number };

/** Ranges merge within so much batch time and up to so many records. */
const mergeMs = 60_000;
const mergeRecordsMax = 1_000_000;

/** The compare-and-set of one commit: what row and history are after it. Throws LEDGER_FENCED, LEDGER_MOVED or LEDGER_TAMPERED. */
export function commitRange(
  row: LedgerRow | undefined,
  history: readonly HistoryRow[],
  commit: RangeCommit,
  clock: Clock,
): { readonly row: LedgerRow; readonly history: readonly HistoryRow[] } {
  const { range, held, leaderEpoch } = commit;
  if (row === undefined || row.claim !== held.claim) throw fencedError(range, row);
  if (row.nextOffset !== range.fromOffset) {
    throw refusal('LEDGER_MOVED', range, `stands at ${row.nextOffset}, not at ${range.fromOffset}`);
  }
  const newest = history.at(-1);
  const isElsewhere =
    newest !== undefined &&
    (newest.incarnation > row.incarnation ||
      (newest.incarnation === row.incarnation && newest.untilOffset !== range.fromOffset));
  if (isElsewhere) {
    const text = `stands at ${range.fromOffset}, its history ends at ${newest.untilOffset}`;
    throw refusal('LEDGER_TAMPERED', range, text);
  }
  const moved = {
    ...row,
    nextOffset: range.untilOffset,
    leaderEpoch: leaderEpoch >= 0 ? leaderEpoch : row.leaderEpoch,
    changedMs: clock.monotonic(),
  };
  return { row: moved, history: withRange(history, row, commit, clock.now()) };
}

/** Somebody else has the partition, or nobody, or its row is gone. */
export function fencedError(of: TopicPartition, row: LedgerRow | undefined): TidemarkError {
  const found =
    row === undefined
      ? 'is not there any more'
      : `carries another claim than ours: owner ${row.owner ?? 'nobody'}, owner epoch ${row.ownerEpoch}`;
  return refusal('LEDGER_FENCED', of, found);
}

/** Somebody put another topic id there. */
export function topicIdError(of: TopicPartition, seenTopicId: string, row: LedgerRow): TidemarkError {
  return refusal('LEDGER_MOVED', of, `has the topic id ${row.topicId}, not ${seenTopicId}`);
}

/** An order to skip came too late. */
export function passedError(row: LedgerRow, fromOffset: bigint): TidemarkError {
  return refusal('LEDGER_MOVED', row, `stands at ${row.nextOffset} already, behind offset ${fromOffset}`);
}

/** The row a history begins with. */
export function noCountsRow({ topic, partition }: TopicPartition, at: bigint) {
  const ends = { fromOffset: at, untilOffset: at };
  return {
    topic,
    partition,
    ...ends,
    counts: noCounts(),
    owner: null,
    kind: 'base',
    reason: 'first position',
  } as const;
}

function withRange(
  history: readonly HistoryRow[],
  row: LedgerRow,
  { range, counts, batchTimeMs, kind, reason }: RangeCommit,
  committedAtMs: number,
): readonly HistoryRow[] {
  const newest = history.at(-1);
  const merges =
    newest?.kind === 'batch' &&
    kind === 'batch' &&
    newest.ownerEpoch === row.ownerEpoch &&
    newest.incarnation === row.incarnation &&
    batchTimeMs >= newest.batchTimeMs &&
    batchTimeMs < newest.batchTimeMs + mergeMs &&
    newest.counts.records + counts.records <= mergeRecordsMax;
  if (merges) {
    const merged = { ...newest, untilOffset: range.untilOffset, counts: sum(newest.counts, counts), committedAtMs };
    return [...history.slice(0, -1), merged];
  }
  if (range.isEmpty) return history;
  const { topic, partition, fromOffset, untilOffset } = range;
  const { incarnation, owner, ownerEpoch } = row;
  const seq = (newest?.seq ?? 0n) + 1n;
  const facts = { topic, partition, seq, incarnation, fromOffset, untilOffset, counts: { ...counts } };
  return [...history, { ...facts, owner, ownerEpoch, kind, reason, batchTimeMs, committedAtMs }];
}

function sum(a: Readonly<RangeCounts>, b: Readonly<RangeCounts>): RangeCounts {
  return {
    records: a.records + b.records,
    produced: a.produced + b.produced,
    rows: a.rows + b.rows,
    dropped: a.dropped + b.dropped,
    skipped: a.skipped + b.skipped,
    deadLettered: a.deadLettered + b.deadLettered,
  };
}

function refusal(
  code: 'LEDGER_FENCED' | 'LEDGER_MOVED' | 'LEDGER_TAMPERED',
  of: TopicPartition,
  found: string,
): TidemarkError {
  return new TidemarkError(code, `The ledger row of ${partitionName(of)} ${found}`, {
    topic: of.topic,
    partition: of.partition,
    hint: 'Nothing was written.',
  });
}
