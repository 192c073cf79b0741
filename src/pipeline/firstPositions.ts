import { TidemarkError } from '../errors.ts';
import type { CommittedOffset, KafkaDriver } from '../kafka/index.ts';
import { type PartitionKey, partitionKey, partitionName } from '../model/index.ts';
import { mirrorMetadata, type OffsetStore, planFirstPositions } from '../offsets/index.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type { SelectedPartition } from './selection.ts';

/** Inserts the rows of selected partitions that the ledger does not know yet. Two processes may do so at once: the first one's rows stay. */
export async function insertFirstPositions(
  selected: readonly SelectedPartition[],
  options: { readonly source: PipelineSpec['source']; readonly pipeline: string },
  driver: KafkaDriver,
  store: OffsetStore,
): Promise<void> {
  const rows = await store.read([...new Set(selected.map(({ topic }) => topic))]);
  const knownPartitions = new Set(rows.map(partitionKey));
  const knownTopics = new Set(rows.map(({ topic }) => topic));
  const unknown = selected.filter((partition) => !knownPartitions.has(partitionKey(partition)));
  if (unknown.length === 0) return;
  const [bounds, group] = await Promise.all([driver.bounds(unknown), groupOffsets(unknown, options, driver)]);
  const partitions = unknown.map((partition, index) => ({
    ...partition,
    bounds: bounds[index] ?? { logStartOffset: 0n, lastStableOffset: 0n, highWatermark: 0n },
    topicIsKnown: knownTopics.has(partition.topic) && options.source.partitions === undefined,
  }));
  const rules = { explicit: explicitOffsets(options.source.startOffsets), group, reset: options.source.reset };
  await store.initialise(planFirstPositions(partitions, rules));
}

async function groupOffsets(
  partitions: readonly SelectedPartition[],
  { source, pipeline }: { readonly source: PipelineSpec['source']; readonly pipeline: string },
  driver: KafkaDriver,
): Promise<ReadonlyMap<PartitionKey, bigint>> {
  if (!source.startFromGroup) return new Map();
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const groupId = source.groupId ?? pipeline;
  const committed = await driver.committedOffsets(groupId, topics);
  const wanted = new Set(partitions.map(partitionKey));
  const own = committed.find((one) => one.metadata === mirrorMetadata(pipeline) && wanted.has(partitionKey(one)));
  if (own !== undefined) throw ownOffset(groupId, own);
  return new Map(committed.map((one) => [partitionKey(one), one.offset]));
}

function explicitOffsets(given: PipelineSpec['source']['startOffsets']): ReadonlyMap<PartitionKey, bigint> {
  const entries = Object.entries(given ?? {}).flatMap(([topic, partitions]) =>
    Object.entries(partitions).map(
      ([partition, offset]) => [partitionKey({ topic, partition: Number(partition) }), BigInt(offset)] as const,
    ),
  );
  return new Map(entries);
}

/**
 * What this pipeline told the group may be ahead of what was committed (receiver mode: what it took off the broker) or behind it:
 * to begin there would lose records, or double them.
 */
function ownOffset(groupId: string, { topic, partition, offset }: CommittedOffset): TidemarkError {
  return new TidemarkError(
    'CONFIG_INVALID',
    `source.startFromGroup: offset ${offset} of ${partitionName({ topic, partition })} in group ${groupId} is this pipeline's own: it is a copy for other tools, and does not say what is in the sink`,
    {
      path: 'source.startFromGroup',
      topic,
      partition,
      offset,
      hint: 'Leave out startFromGroup to begin by source.reset, or give source.startOffsets.',
    },
  );
}
