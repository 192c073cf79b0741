import { TidemarkError } from '../errors.ts';
import type { KafkaDriver, TopicDescription } from '../kafka/index.ts';
import { partitionKey, type TopicPartition } from '../model/index.ts';
import type { PipelineSpec } from './optionsSpec.ts';

/** A partition the pipeline reads, with the identity of its topic. */
export interface SelectedPartition extends TopicPartition {
  readonly topicId: string;
}

/**
 * The partitions that `topics`, `topicPattern` or `partitions` select now. Rejects with KAFKA_TOPIC_MISSING for what is
 * named and not there; a pattern that matches nothing selects nothing.
 */
export async function selectPartitions(
  source: PipelineSpec['source'],
  driver: KafkaDriver,
): Promise<readonly SelectedPartition[]> {
  const described = await driver.describeTopics(await topicNames(source, driver));
  return described.flatMap((topic) => partitionsOf(topic, source.partitions?.[topic.topic]));
}

async function topicNames(source: PipelineSpec['source'], driver: KafkaDriver): Promise<readonly string[]> {
  if (source.topics !== undefined) return source.topics;
  if (source.partitions !== undefined) return Object.keys(source.partitions);
  const pattern = new RegExp(`^(?:${source.topicPattern ?? ''})$`);
  return (await driver.listTopics()).filter((name) => pattern.test(name));
}

function partitionsOf(topic: TopicDescription, wanted: readonly number[] | undefined): SelectedPartition[] {
  const all = topic.partitions.map(({ partition }) => partition);
  const missing = wanted?.filter((partition) => !all.includes(partition)) ?? [];
  if (missing.length > 0) throw missingPartitions(topic.topic, missing, all.length);
  return (wanted ?? all).map((partition) => ({ topic: topic.topic, partition, topicId: topic.topicId }));
}

function missingPartitions(topic: string, missing: readonly number[], count: number): TidemarkError {
  return new TidemarkError(
    'KAFKA_TOPIC_MISSING',
    `Topic ${topic} has partitions 0 to ${count - 1}, not ${missing.join(', ')}`,
    { topic, path: `source.partitions.${topic}`, hint: 'Correct source.partitions.' },
  );
}

/** Selected partitions by key. */
export function byKey(selected: readonly SelectedPartition[]): ReadonlyMap<string, SelectedPartition> {
  return new Map(selected.map((partition) => [partitionKey(partition), partition]));
}
