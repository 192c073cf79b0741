import type { KafkaDriver } from '../kafka/index.ts';
import { partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import type { PartitionPosition } from './positions.ts';

/** Where a reset goes; the words are those of Kafka's own tool. */
export type ResetTarget =
  | { readonly to: 'earliest' }
  /** The last stable offset. */
  | { readonly to: 'latest' }
  | { readonly to: 'offset'; readonly offset: bigint }
  /** From where the position is, negative = back. */
  | { readonly to: 'shift'; readonly by: bigint }
  /** The first record of this time or later, by the records' timestamps; the end where there is none. */
  | { readonly to: 'time'; readonly timestampMs: number }
  /** What a consumer group has committed. */
  | { readonly to: 'group'; readonly groupId: string }
  /** An offset for each partition: from a file, or from another pipeline. */
  | { readonly to: 'offsets'; readonly of: string; readonly offsets: ReadonlyMap<string, bigint> };

/** For people, in the plan and in the history. */
export function targetText(target: ResetTarget): string {
  switch (target.to) {
    case 'earliest':
    case 'latest':
      return `to ${target.to}`;
    case 'offset':
      return `to offset ${target.offset}`;
    case 'shift':
      return `shifted by ${target.by}`;
    case 'time':
      return `to ${new Date(target.timestampMs).toISOString()}`;
    case 'group':
      return `to the offsets of group ${target.groupId}`;
    case 'offsets':
      return `to the offsets of ${target.of}`;
  }
}

/** What was looked up for a target, once: the rows may change while the command runs, this does not. */
export type TargetFacts = ReadonlyMap<string, bigint | undefined>;

export async function lookUp(
  target: ResetTarget,
  positions: readonly PartitionPosition[],
  driver: KafkaDriver,
): Promise<TargetFacts> {
  if (target.to === 'time') {
    const found = await driver.offsetsForTimestamps(positions, target.timestampMs);
    return new Map(positions.map((of, index) => [partitionKey(of), found[index]]));
  }
  if (target.to === 'group') {
    const topics = [...new Set(positions.map(({ topic }) => topic))];
    const committed = await driver.committedOffsets(target.groupId, topics);
    return new Map(committed.map((one) => [partitionKey(one), one.offset]));
  }
  return target.to === 'offsets' ? target.offsets : new Map();
}

export interface Bounds {
  readonly logStartOffset: bigint;
  readonly lastStableOffset: bigint;
}

/** The offset a partition is to go to, within the log; undefined where the target has none for it. Pure. */
export function targetOffset(
  target: ResetTarget,
  facts: TargetFacts,
  of: TopicPartition,
  before: bigint | undefined,
  { logStartOffset, lastStableOffset }: Bounds,
): { readonly offset: bigint; readonly warning: string | undefined } | undefined {
  const wanted = wantedOffset(target, facts, of, before, { logStartOffset, lastStableOffset });
  if (wanted === undefined) return undefined;
  if (wanted < logStartOffset) {
    const warning = `${partitionName(of)}: ${wanted} is before the log start, ${logStartOffset} is taken`;
    return { offset: logStartOffset, warning };
  }
  if (wanted > lastStableOffset) {
    const warning = `${partitionName(of)}: ${wanted} is behind the log end, ${lastStableOffset} is taken`;
    return { offset: lastStableOffset, warning };
  }
  return { offset: wanted, warning: undefined };
}

function wantedOffset(
  target: ResetTarget,
  facts: TargetFacts,
  of: TopicPartition,
  before: bigint | undefined,
  { logStartOffset, lastStableOffset }: Bounds,
): bigint | undefined {
  switch (target.to) {
    case 'earliest':
      return logStartOffset;
    case 'latest':
      return lastStableOffset;
    case 'offset':
      return target.offset;
    case 'shift':
      return before === undefined ? undefined : before + target.by;
    case 'time':
      return facts.get(partitionKey(of)) ?? lastStableOffset;
    case 'group':
    case 'offsets':
      return facts.get(partitionKey(of));
  }
}
