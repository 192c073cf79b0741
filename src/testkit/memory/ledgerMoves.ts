import type { TopicPartition } from '../../model/index.ts';
import { type Control, concerns, type PositionMove, type SeenRow } from '../../offsets/index.ts';
import type { Clock } from '../../platform/index.ts';
import { type HistoryRow, type LedgerRow, noCountsRow } from './ledgerCommit.ts';

/** Whether a row still is what a command was decided on. */
export function isAsSeen(row: LedgerRow | undefined, seen: SeenRow | undefined): boolean {
  if (row === undefined || seen === undefined) return row === undefined && seen === undefined;
  return row.nextOffset === seen.nextOffset && row.claim === seen.claim && row.ownerEpoch === seen.ownerEpoch;
}

/** Whether a move was made already: it is repeated because its answer was lost. */
export function isDone(
  newest: HistoryRow | undefined,
  { kind, toOffset, reason, seen }: PositionMove,
  by: string,
): boolean {
  const isSame =
    newest?.kind === kind && newest.untilOffset === toOffset && newest.reason === reason && newest.owner === by;
  return isSame && (seen === undefined || newest.ownerEpoch === seen.ownerEpoch + 1n);
}

/** What row and history are after a move; a row that was not there continues the epochs of its history. */
export function moved(
  row: LedgerRow | undefined,
  history: readonly HistoryRow[],
  move: PositionMove,
  by: string,
  clock: Clock,
): { readonly row: LedgerRow; readonly range: HistoryRow } {
  const { topic, partition, toOffset, reason } = move;
  const past = row ?? { ...pastOf(history), leaderEpoch: -1, nextOffset: toOffset };
  const ownerEpoch = past.ownerEpoch + 1n;
  const isReset = move.kind === 'reset';
  const incarnation = isReset ? past.incarnation + 1n : past.incarnation;
  const changed: LedgerRow = {
    topic,
    partition,
    nextOffset: toOffset,
    claim: null,
    owner: null,
    ownerEpoch,
    topicId: isReset ? move.topicId : (row?.topicId ?? ''),
    leaderEpoch: isReset ? -1 : past.leaderEpoch,
    incarnation,
    state: 'running',
    reason: null,
    changedMs: clock.monotonic(),
  };
  const fromOffset = isReset ? toOffset : past.nextOffset;
  const facts = { fromOffset, kind: move.kind, incarnation, ownerEpoch, owner: by, reason };
  return { row: changed, range: { ...rangeAt(move, toOffset, history, clock), ...facts } };
}

/** What stays in the history of a row that was removed. */
export function tombstone(
  row: LedgerRow,
  history: readonly HistoryRow[],
  by: string,
  reason: string,
  clock: Clock,
): HistoryRow {
  const { incarnation, ownerEpoch } = row;
  const facts = { kind: 'reset', incarnation, ownerEpoch: ownerEpoch + 1n, owner: by, reason } as const;
  return { ...rangeAt(row, row.nextOffset, history, clock), ...facts };
}

/** Whether an order to skip is over for a partition that stands at `position`. */
export function isPassed(order: Control, of: TopicPartition, position: bigint): boolean {
  const isSkip = order.order === 'skip' && order.untilOffset !== null;
  return isSkip && concerns(order, of) && order.untilOffset <= position;
}

export const place = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition });

function pastOf(history: readonly HistoryRow[]): { readonly incarnation: bigint; readonly ownerEpoch: bigint } {
  const ownerEpoch = history.reduce((highest, row) => (row.ownerEpoch > highest ? row.ownerEpoch : highest), 0n);
  return { incarnation: history.at(-1)?.incarnation ?? 0n, ownerEpoch };
}

function rangeAt(of: TopicPartition, at: bigint, history: readonly HistoryRow[], clock: Clock) {
  const seq = (history.at(-1)?.seq ?? 0n) + 1n;
  return { ...noCountsRow(of, at), seq, batchTimeMs: clock.now(), committedAtMs: clock.now() };
}
