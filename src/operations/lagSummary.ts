import { byTopic, partitionKey } from '../model/index.ts';
import type { LagSeconds } from './lagSeconds.ts';
import type { PartitionPosition } from './positions.ts';

/** How far behind several partitions are together. */
export interface LagSummary {
  readonly partitions: number;
  /** Offsets, over the partitions where it is known. */
  readonly lag: bigint;
  /** The largest of one partition; undefined where none is known. */
  readonly lagMax: bigint | undefined;
  /** Partitions whose lag is not known. */
  readonly lagUnknown: number;
  /** The oldest first unread record, in seconds; undefined where none is known. */
  readonly lagSecondsMax: number | undefined;
  /** Partitions by state, the most frequent first. */
  readonly states: Readonly<Record<string, number>>;
}

export interface TopicLag extends LagSummary {
  readonly topic: string;
}

/** One entry for each topic, in the order of the positions, and all of them together. Pure. */
export function summariseLag(
  positions: readonly PartitionPosition[],
  { seconds }: Pick<LagSeconds, 'seconds'>,
): { readonly topics: readonly TopicLag[]; readonly total: LagSummary } {
  const topics = byTopic(positions).map(([topic, own]) => ({ topic, ...summaryOf(own, seconds) }));
  return { topics, total: summaryOf(positions, seconds) };
}

function summaryOf(positions: readonly PartitionPosition[], seconds: LagSeconds['seconds']): LagSummary {
  let lag = 0n;
  let lagMax: bigint | undefined;
  let lagUnknown = 0;
  let lagSecondsMax: number | undefined;
  for (const position of positions) {
    if (position.lag === undefined) lagUnknown += 1;
    else {
      lag += position.lag;
      if (lagMax === undefined || position.lag > lagMax) lagMax = position.lag;
    }
    const age = seconds.get(partitionKey(position));
    if (age !== undefined) lagSecondsMax = Math.max(lagSecondsMax ?? 0, age);
  }
  return { partitions: positions.length, lag, lagMax, lagUnknown, lagSecondsMax, states: countStates(positions) };
}

/** Partitions by state, the most frequent first. */
export function countStates(of: readonly { readonly state: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { state } of of) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([, a], [, b]) => b - a));
}
