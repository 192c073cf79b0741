import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';
import { partitionName, type RecordChunk, type TopicPartition } from '../../model/index.ts';
import { brokerErrorCodes, brokerErrorKind, type FetchedPartition } from '../protocol/index.ts';
import { type ByteLease, chunkOf } from '../records/index.ts';
import { brokerFailure } from './failures.ts';

/** What is done about a failure. */
export type Failure =
  /** Find the leader again and go on, after a while. */
  | { readonly kind: 'retry'; readonly error: Error }
  /** Retry, and believe it when it persists: a broker may not know the newest yet, bytes may be damaged on the way. */
  | { readonly kind: 'doubtful'; readonly error: Error }
  /** Compare the position with the bounds. */
  | { readonly kind: 'outOfRange'; readonly error: Error }
  /** The stream ends. */
  | { readonly kind: 'final'; readonly error: Error };

/** What an answer means for a stream. */
export type Verdict =
  | { readonly kind: 'records'; readonly chunk: RecordChunk }
  | { readonly kind: 'nothing' }
  /** The first batch does not fit: ask again for so many bytes. */
  | { readonly kind: 'tooSmall'; readonly bytes: number }
  | Failure;

/** What of a stream the verdict depends on. */
export interface ReadPosition extends TopicPartition {
  readonly fetchedUntil: bigint;
  readonly lastFetchedEpoch: number;
  readonly fetchBytes: number;
}

/** A batch that claims to be larger cannot be one: no broker stores it. */
const batchBytesBelievable = 1024 * 1024 * 1024;
/** An answer keeps all its memory as long as one chunk of it lives: smaller shares of that are copied out. */
const shareKept = 1 / 16;
const answerBytesSmall = 64 * 1024;

/**
 * Judges one partition's part of an answer. Pure, the scan of the record batches included. `hasRoom`: no partition
 * before this one has used up room of the answer, so that nothing but its own limit can have cut it.
 */
export function judgeAnswer(
  position: ReadPosition,
  answer: FetchedPartition,
  limits: { readonly batchBytesMax: number; readonly hasRoom: boolean; readonly lease?: ByteLease | undefined },
): Verdict {
  if (answer.errorCode !== brokerErrorCodes.NONE) return judgeError(position, answer.errorCode);
  if (answer.diverging !== undefined) return { kind: 'final', error: truncated(position, answer.diverging) };
  if (answer.bytes.length === 0) return { kind: 'nothing' };
  const bytes = ownShare(answer.bytes);
  try {
    const chunk = chunkOf({
      topic: position.topic,
      partition: position.partition,
      bytes,
      fromOffset: position.fetchedUntil,
      abortedTransactions: answer.abortedTransactions,
      batchBytesMax: limits.batchBytesMax,
      lease: bytes === answer.bytes ? limits.lease : undefined,
    });
    if (chunk !== undefined) return { kind: 'records', chunk };
    return limits.hasRoom ? judgeCutBatch(position, answer.bytes) : { kind: 'nothing' };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(messageOf(error));
    return isTidemarkError(error, 'KAFKA_CORRUPT_BATCH')
      ? { kind: 'doubtful', error: failure }
      : { kind: 'final', error: failure };
  }
}

function judgeError(position: ReadPosition, errorCode: number): Failure {
  const { topic, partition } = position;
  const action = `fetch ${partitionName(position)} from offset ${position.fetchedUntil}`;
  const error = brokerFailure(errorCode, { action, topic, partition });
  switch (errorCode) {
    case brokerErrorCodes.OFFSET_OUT_OF_RANGE:
      return { kind: 'outOfRange', error };
    // The id is unknown because the broker has not heard of the topic yet, or because it is gone: metadata will tell.
    case brokerErrorCodes.UNKNOWN_TOPIC_ID:
    case brokerErrorCodes.INCONSISTENT_TOPIC_ID:
    case brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION:
      return { kind: 'retry', error };
    case brokerErrorCodes.CORRUPT_MESSAGE:
      return { kind: 'doubtful', error: corrupt(position, 'the broker itself says so') };
    // "An unexpected error": what a broker gives for a failed read of its disk. Kafka's own consumer tries again too.
    case brokerErrorCodes.UNKNOWN_SERVER_ERROR:
      return { kind: 'retry', error };
    default:
      return { kind: error.retriable ? 'retry' : 'final', error };
  }
}

/** Brokers give the first batch whole, however large (KIP-74). One that does not is asked for as much as the batch needs. */
function judgeCutBatch(position: ReadPosition, bytes: Buffer): Verdict {
  const needed = bytes.length < 12 ? position.fetchBytes * 2 : 12 + bytes.readInt32BE(8);
  if (needed > position.fetchBytes && needed <= batchBytesBelievable) return { kind: 'tooSmall', bytes: needed };
  const reason = `it declares ${needed} bytes, the broker gives ${bytes.length} of ${position.fetchBytes} asked for`;
  return { kind: 'doubtful', error: corrupt(position, reason) };
}

function corrupt(position: ReadPosition, reason: string): TidemarkError {
  const { topic, partition, fetchedUntil } = position;
  const text = `The record batch at offset ${fetchedUntil} of ${partitionName(position)} is corrupt: ${reason}`;
  return new TidemarkError('KAFKA_CORRUPT_BATCH', text, {
    topic,
    partition,
    fromOffset: fetchedUntil,
    hint: 'If it stays so, the log of the broker is damaged there: restore the replica, or declare these offsets lost',
  });
}

/** The log ends, for the epoch of what was read last, before our position: other records follow there now (KIP-320). */
export function truncated(
  position: ReadPosition,
  end: { readonly leaderEpoch: number; readonly endOffset: bigint } | undefined,
): TidemarkError {
  const { topic, partition, fetchedUntil, lastFetchedEpoch } = position;
  const found =
    end === undefined
      ? 'its leader does not know that epoch'
      : `its leader ends epoch ${end.leaderEpoch} at offset ${end.endOffset}`;
  return new TidemarkError(
    'KAFKA_LOG_TRUNCATED',
    `The log of ${partitionName(position)} is not the one that was read up to offset ${fetchedUntil} in leader epoch ${lastFetchedEpoch}: ${found}`,
    {
      topic,
      partition,
      offset: fetchedUntil,
      ...(end === undefined ? {} : { untilOffset: end.endOffset }),
      foreignCode: brokerErrorKind(brokerErrorCodes.OFFSET_OUT_OF_RANGE).name,
      hint: 'Records that were read are gone from Kafka, by an unclean leader election: compare, then reset the partition.',
    },
  );
}

function ownShare(bytes: Buffer): Buffer {
  const whole = bytes.buffer.byteLength;
  return whole > answerBytesSmall && bytes.length < whole * shareKept ? Buffer.from(bytes) : bytes;
}
