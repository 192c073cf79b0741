import { TidemarkError } from '../../errors.ts';
import { type PartitionBounds, partitionName } from '../../model/index.ts';
import type { EpochEndOffset } from '../driver.ts';
import { brokerErrorCodes, brokerErrorKind } from '../protocol/index.ts';
import { type Failure, type ReadPosition, truncated } from './fetchVerdict.ts';

/**
 * A broker answered OFFSET_OUT_OF_RANGE: is the position outside of the log, is the log another one, or did the broker
 * not know better for a moment? A broker gives the same error when it does not know the leader epoch we read last.
 * The end of an epoch is asked for only where it matters.
 */
export async function judgeOutOfRange(
  position: ReadPosition,
  error: Error,
  bounds: PartitionBounds,
  epochEnd: (leaderEpoch: number) => Promise<EpochEndOffset | undefined>,
): Promise<Failure> {
  const { fetchedUntil, lastFetchedEpoch } = position;
  if (fetchedUntil < bounds.logStartOffset) return { kind: 'final', error: outOfRange(position, bounds) };
  if (lastFetchedEpoch >= 0) {
    const end = await epochEnd(lastFetchedEpoch);
    if (end === undefined || end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchedUntil) {
      return { kind: 'final', error: truncated(position, end) };
    }
  }
  if (fetchedUntil > bounds.highWatermark) return { kind: 'final', error: outOfRange(position, bounds) };
  // Within the bounds after all: they have moved, or a new leader has just caught up.
  return { kind: 'retry', error };
}

/** The error of a position that no broker holds. Says both ends, because what to do depends on which side it lies. */
function outOfRange(position: ReadPosition, bounds: PartitionBounds): TidemarkError {
  const { topic, partition, fetchedUntil } = position;
  const { logStartOffset, highWatermark } = bounds;
  const isBelow = fetchedUntil < logStartOffset;
  return new TidemarkError(
    'KAFKA_OFFSET_OUT_OF_RANGE',
    `Offset ${fetchedUntil} of ${partitionName(position)} is ${isBelow ? 'before the start' : 'beyond the end'} of the log, which goes from ${logStartOffset} to ${highWatermark}`,
    {
      topic,
      partition,
      offset: fetchedUntil,
      fromOffset: logStartOffset,
      untilOffset: highWatermark,
      foreignCode: brokerErrorKind(brokerErrorCodes.OFFSET_OUT_OF_RANGE).name,
      hint: isBelow
        ? 'Retention or compaction removed the records: accept the loss by a reset, and keep records longer.'
        : 'The log is shorter than it was, or the offset belongs to another topic or cluster.',
    },
  );
}
