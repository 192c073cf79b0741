import type { TopicPartition } from '../model/index.ts';
import type { EntryPlace } from '../wal/index.ts';

/**
 * What is written of a block beside its records. A block belongs to one partition: of Kafka, or the one partition of a
 * receiver that numbers its records itself (docs/receivers.md).
 */
export interface BlockHeader extends TopicPartition {
  /** Unique within a log: name of the generator, and a number that only rises. */
  readonly blockId: string;
  /** Its records lie in `[fromOffset, untilOffset)`; from Kafka there may be fewer of them than offsets, or none. */
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  /** Records in it, an upper bound where aborted ones or others beyond the bounds travel in the same record batches. */
  readonly recordCount: number;
  /** Id of the topic; empty where the receiver numbers its records itself. */
  readonly topicId: string;
  /** Of the last record batch in it; -1 = unknown. */
  readonly leaderEpoch: number;
  /** Claim of the partition under which it was received; empty where the receiver numbers its records itself. */
  readonly claim: string;
  /** When it was cut, ms since 1970. */
  readonly receivedAtMs: number;
}

/** A block on its way into the log. */
export interface Block extends BlockHeader {
  /** Record batches of Kafka's format v2, one after the other; from Kafka as the broker sent them, still compressed. */
  readonly payload: Buffer;
}

/** A block that is durable. */
export interface LoggedBlock extends BlockHeader {
  readonly place: EntryPlace;
  /** Bytes of its records. */
  readonly payloadBytes: number;
}
