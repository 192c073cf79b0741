import type { KafkaDriver } from '../kafka/index.ts';
import {
  comparePartitions,
  isReceiverTopic,
  type PartitionBounds,
  partitionKey,
  type TopicPartition,
} from '../model/index.ts';
import { lagOf, type StoredOffset } from '../offsets/index.ts';
import type { PipelineSpec } from '../pipeline/index.ts';

/** One partition of `offsets lag`. */
export interface PartitionLag extends TopicPartition {
  /** Committed offset; undefined where the ledger has no row yet. */
  readonly storedOffset: bigint | undefined;
  readonly logStartOffset: bigint | undefined;
  /** Last stable offset: the end a reader of committed records can reach. */
  readonly logEndOffset: bigint | undefined;
  /** Undefined where one of the two is unknown. */
  readonly lag: bigint | undefined;
  readonly state: LagState;
  /** Why it is parked or paused. */
  readonly reason: string | undefined;
}

/** The ledger's word, unless the brokers contradict it: then every reader would stop. */
export type LagState =
  | StoredOffset['state']
  | 'not started'
  | 'topic missing'
  | 'topic re-created'
  | 'records lost'
  | 'ahead of the log';

/**
 * Compares the rows of the ledger with what the brokers hold. Partitions the options select but the ledger does not know are
 * listed too. `topics` narrows both. Without a driver, where receivers alone bring the records, the rows have no bounds.
 */
export async function partitionLags(
  source: PipelineSpec['source'],
  stored: readonly StoredOffset[],
  driver: KafkaDriver | undefined,
  topics: readonly string[],
): Promise<readonly PartitionLag[]> {
  const isWanted = ({ topic }: { readonly topic: string }) => topics.length === 0 || topics.includes(topic);
  const rows = new Map(stored.filter(isWanted).map((row) => [partitionKey(row), row]));
  if (driver === undefined) return [...rows.values()].map(withoutBounds).sort(comparePartitions);
  const present = new Set(await driver.listTopics());
  const named = new Set([...namedTopics(source, present), ...[...rows.values()].map(({ topic }) => topic)]);
  // A topic that is gone but in the ledger is listed; one that is nowhere is a mistake, which describeTopics names.
  const inLedger = new Set([...rows.values()].map(({ topic }) => topic));
  const asked = [...named].filter((topic) => isWanted({ topic }) && (present.has(topic) || !inLedger.has(topic)));
  const described = await driver.describeTopics(asked);
  const live = described.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(({ partition }) => ({ topic, partition, topicId })),
  );
  const shown = live.filter((of) => rows.has(partitionKey(of)) || isSelected(source, of));
  const bounds = shown.length === 0 ? [] : await driver.bounds(shown);
  const found = shown.map((of, index) => lagOfPartition(of, rows.get(partitionKey(of)), bounds[index], of.topicId));
  const known = new Set(shown.map((of) => partitionKey(of)));
  const gone = [...rows.values()].filter((row) => !known.has(partitionKey(row)));
  const missing = gone.map((row) => lagOfPartition(row, row, undefined, undefined));
  return [...found, ...missing].sort(comparePartitions);
}

function namedTopics(source: PipelineSpec['source'], present: ReadonlySet<string>): readonly string[] {
  if (source.topics !== undefined) return source.topics;
  if (source.partitions !== undefined) return Object.keys(source.partitions);
  const pattern = new RegExp(`^(?:${source.topicPattern ?? ''})$`);
  return [...present].filter((topic) => pattern.test(topic));
}

function isSelected(source: PipelineSpec['source'], { topic, partition }: TopicPartition): boolean {
  if (source.partitions !== undefined) return source.partitions[topic]?.includes(partition) ?? false;
  if (source.topics !== undefined) return source.topics.includes(topic);
  return new RegExp(`^(?:${source.topicPattern ?? ''})$`).test(topic);
}

function withoutBounds(row: StoredOffset): PartitionLag {
  return { ...lagOfPartition(row, row, undefined, undefined), state: row.state };
}

function lagOfPartition(
  { topic, partition }: TopicPartition,
  row: StoredOffset | undefined,
  bounds: PartitionBounds | undefined,
  topicId: string | undefined,
): PartitionLag {
  const state = stateOf(row, bounds, topicId);
  const isComparable = row !== undefined && bounds !== undefined && state !== 'topic re-created';
  return {
    topic,
    partition,
    storedOffset: row?.nextOffset,
    logStartOffset: bounds?.logStartOffset,
    logEndOffset: bounds?.lastStableOffset,
    lag: isComparable ? lagOf(row.nextOffset, bounds) : undefined,
    state,
    reason: row?.reason ?? undefined,
  };
}

function stateOf(
  row: StoredOffset | undefined,
  bounds: PartitionBounds | undefined,
  topicId: string | undefined,
): LagState {
  if (row === undefined) return 'not started';
  // What a receiver numbers itself has its bounds in a write-ahead log, which may be on another machine.
  if (isReceiverTopic(row.topic)) return row.state;
  if (bounds === undefined) return 'topic missing';
  if (topicId !== row.topicId) return 'topic re-created';
  if (row.nextOffset < bounds.logStartOffset) return 'records lost';
  if (row.nextOffset > bounds.highWatermark) return 'ahead of the log';
  return row.state;
}
