import type { KafkaDriver } from '../kafka/index.ts';
import type { OffsetStore } from '../offsets/index.ts';

/** Which partitions of Kafka a pipeline reads, as its options say it; at most one is given. */
export interface TopicSelection {
  readonly topics?: readonly string[] | undefined;
  readonly topicPattern?: string | undefined;
  readonly partitions?: Readonly<Record<string, readonly number[]>> | undefined;
}

/** What operators work on: the progress of one pipeline, and the brokers it is about. Store and driver are open. */
export interface Progress {
  readonly pipeline: string;
  /** For people: where the positions live, without secrets. */
  readonly place: string;
  readonly store: OffsetStore;
  /** Undefined where receivers alone bring the records, or no brokers were named. */
  readonly driver: KafkaDriver | undefined;
  /** Undefined: the topics that the store knows. */
  readonly selection: TopicSelection | undefined;
  /** Consumer group of the pipeline, where its offsets are mirrored; undefined when not known. */
  readonly groupId: string | undefined;
  /** Whether the positions are copied into that group. Default false. */
  readonly isMirrored?: boolean | undefined;
}
