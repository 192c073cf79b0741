import type { TopicPartition } from '../model/index.ts';

/** What a consumer group has of a partition. */
export interface CommittedOffset extends TopicPartition {
  /** The next offset, not the last one. */
  readonly offset: bigint;
  readonly metadata: string;
}
