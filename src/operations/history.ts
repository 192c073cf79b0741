import { comparePartitions, partitionKey, type TopicPartition } from '../model/index.ts';
import type { CommittedRange } from '../offsets/index.ts';
import { type Choice, chosen, requireFound } from './choice.ts';
import type { Progress } from './progress.ts';
import { requireHistory, requireKnown } from './verify.ts';

export interface HistoryOptions {
  readonly choice: Choice;
  /** Rows at most, of all partitions together. */
  readonly limit: number;
  /** Only what was committed at this time or later, ms since 1970. */
  readonly sinceMs?: number | undefined;
}

/** A row of the history among those that are shown. */
export interface HistoryEntry extends CommittedRange {
  /** Offsets between the range before it and this one, which nobody declared; 0 = none, negative = they overlap. */
  readonly holeOffsets: bigint;
}

/**
 * The newest rows of the history, newest first, of removed partitions too. Throws STORE_INCAPABLE for a store that keeps no
 * history, USAGE_INVALID for a pipeline that it does not know or a choice that finds nothing.
 */
export async function readHistory(
  progress: Progress,
  { choice, limit, sinceMs = 0 }: HistoryOptions,
): Promise<readonly HistoryEntry[]> {
  requireHistory(progress);
  const heads = (await progress.store.newestRanges(1)).filter((range) => chosen(choice, range));
  requireKnown(progress, heads.length > 0 || choice.length > 0);
  requireFound(choice, heads, progress.pipeline);
  const newest = await newestOf(progress, heads, limit);
  return withHoles(newest.filter(({ committedAtMs }) => committedAtMs >= sinceMs));
}

/**
 * The newest rows of all partitions together. Of each partition more is read only as long as all that was read of it belongs to the
 * answer: so ten thousand partitions are not read `limit` rows deep each.
 */
async function newestOf(
  { store }: Progress,
  heads: readonly CommittedRange[],
  limit: number,
): Promise<readonly CommittedRange[]> {
  const found = new Map<string, readonly CommittedRange[]>(heads.map((head) => [partitionKey(head), [head]]));
  for (let depth = 1; ; depth *= 4) {
    const newest = [...found.values()].flat().sort(newestFirst).slice(0, limit);
    const shown = new Map<string, number>();
    for (const range of newest) shown.set(partitionKey(range), (shown.get(partitionKey(range)) ?? 0) + 1);
    const deeper = heads.filter((head) => shown.get(partitionKey(head)) === depth);
    if (deeper.length === 0 || depth >= limit) return newest;
    const more = await store.newestRanges(Math.min(limit, depth * 4), deeper.map(place));
    for (const of of deeper) found.set(partitionKey(of), []);
    for (const range of more) found.set(partitionKey(range), [...(found.get(partitionKey(range)) ?? []), range]);
  }
}

const place = ({ topic, partition }: TopicPartition) => ({ topic, partition });

function newestFirst(a: CommittedRange, b: CommittedRange): number {
  return b.committedAtMs - a.committedAtMs || comparePartitions(a, b) || Number(b.seq - a.seq);
}

function withHoles(ranges: readonly CommittedRange[]): readonly HistoryEntry[] {
  const bySeq = new Map(ranges.map((range) => [`${partitionKey(range)}:${range.seq}`, range]));
  return ranges.map((range) => {
    const before = bySeq.get(`${partitionKey(range)}:${range.seq - 1n}`);
    const isSame = before !== undefined && before.incarnation === range.incarnation;
    return { ...range, holeOffsets: isSame ? range.fromOffset - before.untilOffset : 0n };
  });
}
