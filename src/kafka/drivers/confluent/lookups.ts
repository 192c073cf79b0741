import { isTidemarkError, TidemarkError } from '../../../errors.ts';
import {
  type PartitionBounds,
  type PartitionKey,
  partitionKey,
  partitionName,
  type TopicPartition,
} from '../../../model/index.ts';
import type { TopicDescription } from '../../driver.ts';
import { topicsMissing } from '../../reading/index.ts';
import type { ConfluentClient } from './client.ts';
import { libraryFailure, localCodes } from './failures.ts';
import type { NativeOffset, NativeTopic, NativeUuid } from './nativeTypes.ts';

/** `IsolationLevel` of Kafka's protocol: high watermark or last stable offset. */
const isolation = { readUncommitted: 0, readCommitted: 1 } as const;
const unknownTopic = 3;
/** `RD_KAFKA_OFFSET_INVALID`: what an offset is before a broker has filled it in. */
const noAnswer = -1001;
const unknownPartition = { code: localCodes.unknownPartition, message: 'Local: Unknown partition' };

/** A topic as a broker knows it now, without a retry: undefined where it does not exist. */
export interface KnownTopic {
  readonly topicId: string;
  readonly isInternal: boolean;
  /** By number; without a leader -1. */
  readonly leaders: ReadonlyMap<number, number>;
}

export async function knownTopics(
  client: ConfluentClient,
  topics: readonly string[],
): Promise<ReadonlyMap<string, KnownTopic>> {
  const found = new Map<string, KnownTopic>();
  if (topics.length === 0) return found;
  const action = `describe ${topics.join(', ')}`;
  const described = await client.ask<readonly NativeTopic[]>({ action }, (admin, timeout, done) =>
    admin.describeTopics([...new Set(topics)], { timeout }, done),
  );
  for (const { name, topicId, isInternal, partitions, error } of described) {
    if (error !== undefined && error.code === unknownTopic) continue;
    if (error !== undefined) throw libraryFailure(error, { action: `describe topic ${name}`, topic: name });
    const leaders = new Map(partitions.map(({ partition, leader }) => [partition, leader?.id ?? -1]));
    found.set(name, { topicId: uuidText(topicId), isInternal, leaders });
  }
  return found;
}

/** Topics in the order asked. Rejects with KAFKA_TOPIC_MISSING naming every missing one. */
export function describedTopics(client: ConfluentClient, topics: readonly string[]): Promise<TopicDescription[]> {
  return client.retrying(async () => {
    const found = await knownTopics(client, topics);
    const missing = topics.filter((topic) => !found.has(topic));
    if (missing.length > 0) throw topicsMissing(missing);
    const led = [...found].flatMap(([topic, { leaders }]) =>
      [...leaders].flatMap(([partition, leader]) => (leader < 0 ? [] : [{ topic, partition }])),
    );
    // The description has no leader epochs; an answer about offsets does.
    const ends = await listedOffsets(client, led, 'latest', isolation.readUncommitted);
    return topics.map((topic) => {
      const { topicId, leaders } = found.get(topic) as KnownTopic;
      const partitions = [...leaders].map(([partition, leader]) => {
        const leaderEpoch = ends.get(partitionKey({ topic, partition }))?.leaderEpoch ?? -1;
        return { partition, leader, leaderEpoch };
      });
      return { topic, topicId, partitions: partitions.sort((a, b) => a.partition - b.partition) };
    });
  });
}

/** Names of all topics, internal ones left out. */
export function topicNames(client: ConfluentClient): Promise<string[]> {
  return client.retrying(async () => {
    const names = await client.ask<readonly string[]>({ action: 'list topics' }, (admin, timeout, done) =>
      admin.listTopics({ timeout }, done),
    );
    // The list does not say which topics are internal, and only names like these can be.
    const suspects = await knownTopics(
      client,
      names.filter((name) => name.startsWith('__')),
    );
    return names.filter((name) => suspects.get(name)?.isInternal !== true).sort();
  });
}

/** Bounds in the order asked. */
export function partitionBounds(
  client: ConfluentClient,
  partitions: readonly TopicPartition[],
): Promise<PartitionBounds[]> {
  return client.retrying(async () => {
    const found = await knownBounds(client, partitions);
    return partitions.map((of) => inOrder(found.get(partitionKey(of)), of));
  });
}

/** Bounds, or why there are none, by partition; without a retry. */
export async function knownBounds(
  client: ConfluentClient,
  partitions: readonly TopicPartition[],
): Promise<ReadonlyMap<PartitionKey, PartitionBounds | TidemarkError>> {
  // Bounds only grow: asked from the low to the high one, the last stable offset is never seen above the high watermark.
  const starts = await listedOffsets(client, partitions, 'earliest', isolation.readUncommitted);
  const stables = await listedOffsets(client, partitions, 'latest', isolation.readCommitted);
  const highs = await listedOffsets(client, partitions, 'latest', isolation.readUncommitted);
  return new Map(
    partitions.map((of): [PartitionKey, PartitionBounds | TidemarkError] => {
      const key = partitionKey(of);
      return [key, boundsOf(of, [starts.get(key), stables.get(key), highs.get(key)])];
    }),
  );
}

/** Log start, last stable offset and high watermark as listed. */
export function boundsOf(
  of: TopicPartition,
  listed: readonly [Listed | undefined, Listed | undefined, Listed | undefined],
): PartitionBounds | TidemarkError {
  const error = listed.find((one) => one?.error !== undefined)?.error;
  if (error !== undefined) return error;
  const [logStartOffset, lastStableOffset, highWatermark] = listed.map((one) => one?.offset ?? -1) as [
    number,
    number,
    number,
  ];
  if (Math.min(logStartOffset, lastStableOffset, highWatermark) < 0) {
    return unanswered(of);
  }
  return {
    logStartOffset: BigInt(logStartOffset),
    lastStableOffset: BigInt(lastStableOffset),
    highWatermark: BigInt(highWatermark),
  };
}

/** First offsets at or after a timestamp in the order asked. */
export function offsetsAtTimestamp(
  client: ConfluentClient,
  partitions: readonly TopicPartition[],
  timestampMs: number,
): Promise<(bigint | undefined)[]> {
  return client.retrying(async () => {
    // Negative timestamps mean something else to a broker: -1 is the end of the log.
    const listed = await listedOffsets(
      client,
      partitions,
      Math.ceil(Math.max(0, timestampMs)),
      isolation.readCommitted,
    );
    return partitions.map((of) => {
      const { offset, error } = listed.get(partitionKey(of)) ?? {};
      if (error !== undefined) throw error;
      if (offset === noAnswer) throw unanswered(of);
      return offset === undefined || offset < 0 ? undefined : BigInt(offset);
    });
  });
}

interface Listed {
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly error: TidemarkError | undefined;
}

async function listedOffsets(
  client: ConfluentClient,
  partitions: readonly TopicPartition[],
  at: 'earliest' | 'latest' | number,
  isolationLevel: number,
): Promise<Map<PartitionKey, Listed>> {
  // A partition that is named twice makes the library refuse the request.
  const unique = new Map(
    partitions.map(({ topic, partition }) => [partitionKey({ topic, partition }), { topic, partition }]),
  );
  if (unique.size === 0) return new Map();
  const { OffsetSpec } = client.library;
  const offset = at === 'earliest' ? OffsetSpec.EARLIEST : at === 'latest' ? OffsetSpec.LATEST : new OffsetSpec(at);
  const asked = client.ask<readonly NativeOffset[]>({ action: 'list offsets' }, (admin, timeout, done) =>
    admin.listOffsets(
      [...unique.values()].map((of) => ({ ...of, offset })),
      { timeout, isolationLevel },
      done,
    ),
  );
  const answers = await asked.catch((error) => {
    // Where it knows none of the partitions the library fails the whole, and no partition.
    if (!isTidemarkError(error, 'KAFKA_TOPIC_MISSING')) throw error;
    return [...unique.values()].map((of) => ({ ...of, offset: -1, leaderEpoch: -1, error: unknownPartition }));
  });
  return new Map(
    answers.map(({ topic, partition, offset, leaderEpoch, error }) => {
      const where = { topic, partition };
      const failure = error && libraryFailure(error, { action: `list offsets of ${partitionName(where)}`, ...where });
      return [partitionKey(where), { offset, leaderEpoch: leaderEpoch ?? -1, error: failure }];
    }),
  );
}

/**
 * When a leader dies between the library's look at the metadata and its question, the partitions of that leader come back without
 * an offset and without an error, or not at all. Taken for an offset it would look like a log that has lost its end.
 */
function unanswered({ topic, partition }: TopicPartition): TidemarkError {
  const text = `No broker has answered for the offsets of ${partitionName({ topic, partition })}`;
  return new TidemarkError('KAFKA_REQUEST_FAILED', text, { topic, partition, retriable: true });
}

function inOrder(found: PartitionBounds | TidemarkError | undefined, of: TopicPartition): PartitionBounds {
  if (found === undefined) throw unanswered(of);
  if (found instanceof Error) throw found;
  return found;
}

/** The text form of a UUID, of its two halves as signed integers. */
function uuidText({ mostSignificantBits, leastSignificantBits }: NativeUuid): string {
  const hex = [mostSignificantBits, leastSignificantBits]
    .map((half) => BigInt.asUintN(64, half).toString(16).padStart(16, '0'))
    .join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
