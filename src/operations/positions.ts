import { TidemarkError } from '../errors.ts';
import type { KafkaDriver, TopicDescription } from '../kafka/index.ts';
import {
  comparePartitions,
  isReceiverTopic,
  type PartitionBounds,
  partitionKey,
  type TopicPartition,
} from '../model/index.ts';
import { type Control, concerns, lagOf, type StoredOffset } from '../offsets/index.ts';
import { type Choice, chosen, requireFound } from './choice.ts';
import type { Progress, TopicSelection } from './progress.ts';

/** One partition as store, brokers and orders have it at one moment. */
export interface PartitionPosition extends TopicPartition {
  /** Undefined where the store does not know the partition yet. */
  readonly row: StoredOffset | undefined;
  /** What the brokers hold; undefined for a receiver, without brokers, and where the topic is gone. */
  readonly log: { readonly topicId: string; readonly bounds: PartitionBounds } | undefined;
  /** Offsets between position and last stable offset; undefined where one of the two is unknown. */
  readonly lag: bigint | undefined;
  readonly state: PositionState;
  /** Why it is parked or paused. */
  readonly reason: string | undefined;
}

/** The store's word and the orders', unless the brokers contradict it: then every reader would stop. */
export type PositionState =
  | StoredOffset['state']
  | 'not started'
  | 'topic missing'
  | 'topic re-created'
  | 'records lost'
  | 'ahead of the log';

/**
 * Every chosen partition that the store knows or the options select, by topic and partition. Throws USAGE_INVALID for a choice
 * that finds nothing, and for a name that the store does not know where nothing else says what the pipeline reads.
 */
export async function readPositions(progress: Progress, choice: Choice): Promise<readonly PartitionPosition[]> {
  const { store, driver, selection } = progress;
  const [stored, controls] = await Promise.all([store.read(), store.controls()]);
  if (stored.length === 0 && selection === undefined) throw unknownPipeline(progress);
  const rows = new Map(stored.map((row) => [partitionKey(row), row]));
  const logs = driver === undefined ? new Map() : await readLogs(driver, selection, stored, choice);
  const places = new Map<string, TopicPartition>(
    [...stored, ...[...logs.values()]].map((of) => [partitionKey(of), of]),
  );
  const positions = [...places.values()]
    .filter((of) => chosen(choice, of))
    .sort(comparePartitions)
    .map((of) =>
      positionOf(of, rows.get(partitionKey(of)), logs.get(partitionKey(of)), controls, driver !== undefined),
    );
  requireFound(choice, positions, progress.pipeline);
  return positions;
}

/** Without a file that says what it reads, a name that nothing is kept under is a slip. */
function unknownPipeline({ pipeline, place }: Progress): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `Nothing is kept under the name ${pipeline} (${place})`, {
    path: '--pipeline',
    hint: 'tidemark offsets list shows the names there are.',
  });
}

type Log = TopicPartition & { readonly topicId: string; readonly bounds: PartitionBounds };

/** Partitions that the brokers have now, of the topics that the store knows or the options select. */
async function readLogs(
  driver: KafkaDriver,
  selection: TopicSelection | undefined,
  stored: readonly StoredOffset[],
  choice: Choice,
): Promise<ReadonlyMap<string, Log>> {
  const inStore = new Set(stored.map(({ topic }) => topic).filter((topic) => !isReceiverTopic(topic)));
  const present = new Set(await driver.listTopics());
  const named = new Set([...namedTopics(selection, present), ...inStore]);
  // A topic that is gone but in the store is shown; one that is nowhere is a mistake, which describeTopics names.
  const asked = [...named].filter(
    (topic) =>
      (choice.length === 0 || choice.some((one) => one.topic === topic)) && (present.has(topic) || !inStore.has(topic)),
  );
  const known = new Set(stored.map(partitionKey));
  const live = partitionsOf(await driver.describeTopics(asked)).filter(
    (of) => known.has(partitionKey(of)) || selects(selection, inStore, of),
  );
  const bounds = live.length === 0 ? [] : await driver.bounds(live);
  return new Map(live.map((of, index) => [partitionKey(of), { ...of, bounds: requireBounds(bounds[index]) }]));
}

function partitionsOf(topics: readonly TopicDescription[]) {
  return topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map(({ partition }) => ({ topic, partition, topicId })),
  );
}

function requireBounds(bounds: PartitionBounds | undefined): PartitionBounds {
  if (bounds === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'Bounds of a partition are missing');
  return bounds;
}

function namedTopics(selection: TopicSelection | undefined, present: ReadonlySet<string>): readonly string[] {
  if (selection?.topics !== undefined) return selection.topics;
  if (selection?.partitions !== undefined) return Object.keys(selection.partitions);
  if (selection?.topicPattern === undefined) return [];
  const pattern = wholeName(selection.topicPattern);
  return [...present].filter((topic) => pattern.test(topic));
}

/** Without options, every partition of a topic that the store knows: one that was added to it is to be seen. */
function selects(selection: TopicSelection | undefined, inStore: ReadonlySet<string>, of: TopicPartition): boolean {
  if (selection?.partitions !== undefined) return selection.partitions[of.topic]?.includes(of.partition) ?? false;
  if (selection?.topics !== undefined) return selection.topics.includes(of.topic);
  if (selection?.topicPattern !== undefined) return wholeName(selection.topicPattern).test(of.topic);
  return inStore.has(of.topic);
}

const wholeName = (pattern: string) => new RegExp(`^(?:${pattern})$`);

function positionOf(
  { topic, partition }: TopicPartition,
  row: StoredOffset | undefined,
  log: Log | undefined,
  controls: readonly Control[],
  hasBrokers: boolean,
): PartitionPosition {
  const pause = controls.find((control) => control.order === 'pause' && concerns(control, { topic, partition }));
  const state = stateOf(row, log, hasBrokers);
  const isPaused = state === 'running' && pause !== undefined;
  const isComparable = row !== undefined && log !== undefined && state !== 'topic re-created';
  return {
    topic,
    partition,
    row,
    log: log === undefined ? undefined : { topicId: log.topicId, bounds: log.bounds },
    lag: isComparable ? lagOf(row.nextOffset, log.bounds) : undefined,
    state: isPaused ? 'paused' : state,
    reason: isPaused ? pause.reason : (row?.reason ?? undefined),
  };
}

function stateOf(row: StoredOffset | undefined, log: Log | undefined, hasBrokers: boolean): PositionState {
  if (row === undefined) return 'not started';
  // What a receiver numbers itself has its bounds in a write-ahead log, which may be on another machine.
  if (isReceiverTopic(row.topic) || !hasBrokers) return row.state;
  if (log === undefined) return 'topic missing';
  if (log.topicId !== row.topicId) return 'topic re-created';
  if (row.nextOffset < log.bounds.logStartOffset) return 'records lost';
  if (row.nextOffset > log.bounds.highWatermark) return 'ahead of the log';
  return row.state;
}
