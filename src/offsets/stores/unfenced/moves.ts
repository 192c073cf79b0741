import { partitionKey, type TopicPartition } from '../../../model/index.ts';
import type { PositionMove, SeenRow } from '../../operatorCalls.ts';
import type { Book, Draft, Row } from './book.ts';

type Reset = Extract<PositionMove, { readonly kind: 'reset' }>;

/** All of them, or none when a row is not as it was seen: those are the answer. What an answer that was lost has done counts as done. */
export function resetRows(draft: Draft, moves: readonly Reset[]): readonly TopicPartition[] {
  const open = moves.filter((move) => !isReset(draft.rows.get(partitionKey(move)), move));
  const changed = open.filter((move) => !isAsSeen(draft.rows.get(partitionKey(move)), move.seen));
  if (changed.length > 0) return changed.map(place);
  for (const { topic, partition, toOffset, topicId } of open) {
    const row = draft.rows.get(partitionKey({ topic, partition }));
    if (row === undefined) draft.insert({ topic, partition, nextOffset: toOffset, topicId }, 1n);
    else {
      draft.change(draft.interrupt(row), {
        nextOffset: toOffset,
        topicId,
        leaderEpoch: -1,
        incarnation: row.incarnation + 1n,
        state: 'running',
        reason: null,
      });
    }
  }
  return [];
}

export function removeRows(draft: Draft, rows: readonly SeenRow[]): readonly TopicPartition[] {
  const open = rows.filter((seen) => !isRemoved(draft, seen));
  const changed = open.filter((seen) => !isAsSeen(draft.rows.get(partitionKey(seen)), seen));
  if (changed.length > 0) return changed.map(place);
  for (const seen of open) {
    const key = partitionKey(seen);
    const row = draft.rows.get(key);
    if (row === undefined) continue;
    const { topic, partition, incarnation } = row;
    draft.removed.set(key, { topic, partition, incarnation, ownerEpoch: row.ownerEpoch + 1n });
    draft.rows.delete(key);
  }
  return [];
}

function isAsSeen(row: Row | undefined, seen: SeenRow | undefined): boolean {
  if (row === undefined || seen === undefined) return row === undefined && seen === undefined;
  return row.nextOffset === seen.nextOffset && row.claim === seen.claim && row.ownerEpoch === seen.ownerEpoch;
}

function isReset(row: Row | undefined, { toOffset, topicId, seen }: Reset): boolean {
  if (row === undefined || row.nextOffset !== toOffset || row.claim !== null || row.topicId !== topicId) return false;
  return seen === undefined ? row.leaderEpoch === -1 : row.ownerEpoch === seen.ownerEpoch + 1n;
}

function isRemoved({ rows, removed }: Book, seen: SeenRow): boolean {
  const key = partitionKey(seen);
  return !rows.has(key) && removed.get(key)?.ownerEpoch === seen.ownerEpoch + 1n;
}

const place = ({ topic, partition }: TopicPartition): TopicPartition => ({ topic, partition });
