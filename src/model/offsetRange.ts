import { TidemarkError } from '../errors.ts';
import type { TopicPartition } from './topicPartition.ts';

/**
 * Offsets of one partition, `fromOffset` included, `untilOffset` excluded (Spark's OffsetRange, kafka connector 0-10).
 * A range has holes (compaction, transaction markers): `offsetCount` is not a number of records.
 */
export class OffsetRange implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;

  constructor(topic: string, partition: number, fromOffset: bigint, untilOffset: bigint) {
    if (fromOffset < 0n || fromOffset > untilOffset) {
      throw new TidemarkError(
        'INVARIANT_BROKEN',
        `An offset range of ${topic}-${partition} cannot begin at ${fromOffset} and end at ${untilOffset}`,
        { topic, partition, fromOffset, untilOffset },
      );
    }
    this.topic = topic;
    this.partition = partition;
    this.fromOffset = fromOffset;
    this.untilOffset = untilOffset;
  }

  /** Offsets in the range, holes included. */
  get offsetCount(): bigint {
    return this.untilOffset - this.fromOffset;
  }

  get isEmpty(): boolean {
    return this.fromOffset === this.untilOffset;
  }

  equals(other: OffsetRange): boolean {
    return (
      this.topic === other.topic &&
      this.partition === other.partition &&
      this.fromOffset === other.fromOffset &&
      this.untilOffset === other.untilOffset
    );
  }

  /** Spark's text form, which its users search their logs for. */
  toString(): string {
    return `OffsetRange(topic: '${this.topic}', partition: ${this.partition}, range: [${this.fromOffset} -> ${this.untilOffset}])`;
  }

  toJSON(): Record<string, unknown> {
    return {
      topic: this.topic,
      partition: this.partition,
      fromOffset: String(this.fromOffset),
      untilOffset: String(this.untilOffset),
    };
  }
}
