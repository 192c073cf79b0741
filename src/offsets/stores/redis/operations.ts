import type { TopicPartition } from '../../../model/index.ts';
import type { NewControl, PositionMove, SeenRow } from '../../operatorCalls.ts';
import type { RangeCommit } from '../../store.ts';
import type { StoreKey, StoreKeys } from './keys.ts';

/** The keys of one request, each once; scripts know them by their numbers, from 1. */
export class KeyList {
  readonly keys: StoreKey[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(...first: readonly StoreKey[]) {
    for (const key of first) this.numberOf(key);
  }

  numberOf(key: StoreKey): number {
    const known = this.#numbers.get(key.name);
    if (known !== undefined) return known;
    this.#numbers.set(key.name, this.keys.push(key));
    return this.keys.length;
  }
}

/** Numbers of the keys of a partition's row. */
export function rowOf(list: KeyList, keys: StoreKeys, of: TopicPartition) {
  return { topic: of.topic, partition: String(of.partition), offsets: list.numberOf(keys.offsets(of.topic)) };
}

/** Numbers of the keys of a partition's row and history. */
export function placeOf(list: KeyList, keys: StoreKeys, of: TopicPartition) {
  const [newest, history] = [list.numberOf(keys.newest(of.topic)), list.numberOf(keys.history(of))];
  return { ...rowOf(list, keys, of), newest, history };
}

export function commitValues({ range, held, counts, leaderEpoch, batchTimeMs, kind, reason }: RangeCommit) {
  return {
    from: range.fromOffset,
    until: range.untilOffset,
    claim: held.claim,
    leaderEpoch,
    kind,
    reason,
    batchTime: String(Math.trunc(batchTimeMs)),
    records: String(counts.records),
    produced: String(counts.produced),
    rows: String(counts.rows),
    dropped: String(counts.dropped),
    skipped: String(counts.skipped),
    deadLettered: String(counts.deadLettered),
  };
}

export function moveValues(move: PositionMove) {
  const { kind, toOffset: to, reason } = move;
  return { kind, to, reason, topicId: move.kind === 'reset' ? move.topicId : null, seen: seenValues(move.seen) };
}

export function seenValues(seen: SeenRow | undefined) {
  if (seen === undefined) return null;
  return { next: seen.nextOffset, claim: seen.claim, epoch: seen.ownerEpoch };
}

export function orderValues({ topic, partition, order, fromOffset, untilOffset, reason }: NewControl) {
  const place = { topic, partition: partition === null ? null : String(partition) };
  return { ...place, order, from: fromOffset, until: untilOffset, reason };
}
