import { TidemarkError } from '../errors.ts';
import { type PartitionBounds, partitionName } from '../model/index.ts';
import type { PositionVerdict, SourcePosition } from '../scheduler/index.ts';

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
  position: SourcePosition,
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
