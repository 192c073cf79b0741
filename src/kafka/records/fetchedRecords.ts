import { TidemarkError } from '../../errors.ts';
import type { TopicPartition } from '../../model/index.ts';
import type { ByteLease } from './byteLease.ts';

/** One partition's part of a fetch response. */
export interface FetchedRecords {
  topic: string;
  partition: number;
  /** The Records field of one partition's answer; may end in a truncated batch. */
  bytes: Buffer;
  /** Where reading is to go on; batches may start below it. */
  fromOffset: bigint;
  /** From the fetch response; any order. */
  abortedTransactions: readonly { producerId: bigint; firstOffset: bigint }[];
  /** Bytes one record batch may unpack to. */
  batchBytesMax: number;
  /** Of `bytes`, where their memory is used again. */
  lease?: ByteLease | undefined;
}

/**
 * A finding about one record batch. `lastOffsetDelta` is undefined, or not to be believed when negative, where the end
 * of the batch cannot be told.
 */
export function corruptBatch(
  where: TopicPartition,
  baseOffset: bigint,
  lastOffsetDelta: number | undefined,
  reason: string,
  cause?: unknown,
): TidemarkError {
  return batchError('KAFKA_CORRUPT_BATCH', where, baseOffset, lastOffsetDelta, `is corrupt: ${reason}`, {
    hint: 'If it stays so, the log of the broker is damaged there: restore the replica, or declare these offsets lost',
    cause,
  });
}

export function batchError(
  code: 'KAFKA_CORRUPT_BATCH' | 'KAFKA_BATCH_TOO_LARGE' | 'KAFKA_CODEC_UNSUPPORTED',
  { topic, partition }: TopicPartition,
  baseOffset: bigint,
  lastOffsetDelta: number | undefined,
  finding: string,
  facts: { readonly hint?: string; readonly cause?: unknown },
): TidemarkError {
  const hasEnd = lastOffsetDelta !== undefined && lastOffsetDelta >= 0;
  const untilOffset = hasEnd ? baseOffset + BigInt(lastOffsetDelta + 1) : undefined;
  const place = untilOffset === undefined ? `at offset ${baseOffset}` : `[${baseOffset}, ${untilOffset})`;
  return new TidemarkError(code, `The record batch ${place} of ${topic}-${partition} ${finding}`, {
    topic,
    partition,
    fromOffset: baseOffset,
    ...(untilOffset === undefined ? {} : { untilOffset }),
    ...facts,
  });
}
