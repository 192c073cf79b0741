import { OffsetRange, type TopicPartition } from '../model/index.ts';

/** A partition as the planner sees it. */
export interface PlanInput extends TopicPartition {
  readonly position: bigint;
  /** Last stable offset: `until` never passes it (I5). */
  readonly readableEnd: bigint;
  /** An operator ordered a skip there. */
  readonly untilMax: bigint | undefined;
  /** Records by rate; undefined = no limit. */
  readonly recordsMax: number | undefined;
  /** Estimated from what was read; 0 = nothing read yet. */
  readonly bytesPerOffset: number;
}

export interface SizeLimits {
  readonly maxRecordsPerPartition: number;
  readonly maxBytesPerPartition: number;
}

/**
 * The offset range of one partition in a batch. Pure: limits count offsets, since what lies in them is not known before it is
 * read. A range takes at least one offset when there is one, whatever the limit of bytes.
 */
export function planRange(input: PlanInput, limits: SizeLimits): OffsetRange {
  const { topic, partition, position } = input;
  let count = limits.maxRecordsPerPartition;
  if (input.bytesPerOffset > 0) {
    count = Math.min(count, Math.max(1, Math.floor(limits.maxBytesPerPartition / input.bytesPerOffset)));
  }
  if (input.recordsMax !== undefined) count = Math.min(count, input.recordsMax);
  let until = position + BigInt(count);
  if (until > input.readableEnd) until = input.readableEnd;
  if (input.untilMax !== undefined && until > input.untilMax) until = input.untilMax;
  return new OffsetRange(topic, partition, position, until > position ? until : position);
}
