import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { type PartitionBounds, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';

/** What a source says of a position before it is used (I7). */
export type PositionVerdict =
  | { readonly kind: 'good' }
  /** `[nextOffset, untilOffset)` is gone and policy accepts that. */
  | { readonly kind: 'gap'; readonly untilOffset: bigint; readonly reason: string }
  /** The partition must stop. */
  | { readonly kind: 'stop'; readonly error: TidemarkError };

/** A place in a partition of Kafka that was read up to. */
export interface ReadUpTo extends TopicPartition {
  readonly nextOffset: bigint;
  readonly topicId: string;
  /** Of the last batch read below `nextOffset`; -1 = unknown. */
  readonly leaderEpoch: number;
}

/** What the broker says of a partition, for judging a position. */
export interface PositionFacts {
  /** Id of the topic of that name now. */
  readonly topicId: string;
  readonly bounds: PartitionBounds;
  /** End of the log as of the position's leader epoch (OffsetForLeaderEpoch, KIP-320); undefined when unknown or not asked. */
  readonly epochEnd: { readonly leaderEpoch: number; readonly endOffset: bigint } | undefined;
}

/**
 * Whether a stored position can be gone on from (I7). In this order: another topic of that name makes the rest meaningless; a
 * log that ends before the position, or whose epoch diverged below it, was truncated; a log that starts behind it has
 * lost records.
 */
export function judgePosition(
  position: ReadUpTo,
  facts: PositionFacts,
  onDataLoss: 'stop' | 'skip-forward',
): PositionVerdict {
  const { bounds, epochEnd } = facts;
  const name = partitionName(position);
  const place = { topic: position.topic, partition: position.partition, offset: position.nextOffset };
  if (facts.topicId !== position.topicId) {
    return stop(
      'KAFKA_TOPIC_RECREATED',
      `Topic ${position.topic} was deleted and made again: ${name} is stored at offset ${position.nextOffset} of topic id ${position.topicId}, the broker has ${facts.topicId}`,
      { ...place, hint: 'Reset the partition to adopt the new topic; its old records are gone.' },
    );
  }
  if (position.nextOffset > bounds.highWatermark) {
    return stop(
      'LEDGER_AHEAD',
      `The ledger has ${name} at offset ${position.nextOffset}, the log ends at ${bounds.highWatermark}: the log lost records that were already committed`,
      {
        ...place,
        untilOffset: bounds.highWatermark,
        hint: 'Find out how the log lost its end, then reset the partition.',
      },
    );
  }
  if (
    epochEnd !== undefined &&
    (epochEnd.leaderEpoch < position.leaderEpoch || epochEnd.endOffset < position.nextOffset)
  ) {
    return stop(
      'KAFKA_LOG_TRUNCATED',
      `The log of ${name} was truncated: epoch ${position.leaderEpoch} was read up to offset ${position.nextOffset}, the broker's epoch ${epochEnd.leaderEpoch} ends at ${epochEnd.endOffset}`,
      {
        ...place,
        untilOffset: epochEnd.endOffset,
        hint: 'Records that were committed are not in the log any more; reset the partition to go on.',
      },
    );
  }
  if (position.nextOffset < bounds.logStartOffset) {
    const lost = `offsets ${position.nextOffset} to ${bounds.logStartOffset - 1n} of ${name} are gone: the log starts at ${bounds.logStartOffset}`;
    if (onDataLoss === 'skip-forward') {
      return { kind: 'gap', untilOffset: bounds.logStartOffset, reason: `onDataLoss skip-forward: ${lost}` };
    }
    return stop('DATA_LOSS', `Data loss: ${lost}`, {
      ...place,
      fromOffset: position.nextOffset,
      untilOffset: bounds.logStartOffset,
      hint: 'Set source.onDataLoss: skip-forward to accept the loss; the ledger then records the gap.',
    });
  }
  return { kind: 'good' };
}

function stop(...error: ConstructorParameters<typeof TidemarkError>): PositionVerdict {
  return { kind: 'stop', error: new TidemarkError(...error) };
}

/** Asks the brokers about positions and judges each, in order. */
export async function judgePositions(
  driver: KafkaDriver,
  positions: readonly ReadUpTo[],
  onDataLoss: 'stop' | 'skip-forward',
): Promise<readonly PositionVerdict[]> {
  if (positions.length === 0) return [];
  const topics = [...new Set(positions.map((position) => position.topic))];
  const [described, bounds, ends] = await Promise.all([
    driver.describeTopics(topics),
    driver.bounds(positions),
    epochEnds(driver, positions),
  ]);
  const topicIds = new Map(described.map((topic) => [topic.topic, topic.topicId]));
  return positions.map((position, index) => {
    const partitionBounds = bounds[index];
    if (partitionBounds === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'Bounds of a partition are missing');
    const topicId = topicIds.get(position.topic) ?? '';
    const facts = { topicId, bounds: partitionBounds, epochEnd: ends.get(partitionKey(position)) };
    return judgePosition(position, facts, onDataLoss);
  });
}

async function epochEnds(driver: KafkaDriver, positions: readonly ReadUpTo[]) {
  const known = positions.filter((position) => position.leaderEpoch >= 0);
  const ends = known.length === 0 ? [] : await driver.endOffsetsForLeaderEpochs(known);
  return new Map(known.map((position, index) => [partitionKey(position), ends[index]]));
}
