import type { PartitionBounds, RecordChunk, TopicPartition } from '../model/index.ts';
import type { CommittedOffset } from './committedOffset.ts';
import type { GroupDescription, GroupSummary } from './groups.ts';
import type { GroupMembership, MembershipCapabilities, MembershipListener, MembershipOptions } from './membership.ts';

/**
 * The port to Kafka: metadata, bounds, and reading exactly the offsets that were asked for. Data never goes through a
 * client's own consumer: those jump, reset silently and leak aborted records.
 *
 * Call order: `connect` once, then anything concurrently, `close` once (again is a no-op). Every method rejects with a
 * TidemarkError; failures that a retry with fresh metadata can mend were already retried within `requestTimeoutMs`.
 */
export interface KafkaDriver {
  readonly capabilities: DriverCapabilities;
  /**
   * Rejects with KAFKA_UNREACHABLE, KAFKA_AUTHENTICATION_FAILED or KAFKA_UNSUPPORTED_BROKER; the driver is closed then.
   * What another try could mend is tried again for `connectTimeoutMs`; twice that is the longest it takes.
   */
  connect(): Promise<void>;
  /** Ends every fetcher and connection in any state, a `connect` under way too; leaves no handle open. Calls under way reject with KAFKA_CLOSED. */
  close(): Promise<void>;
  /** Topics by name, in the order asked. Rejects with KAFKA_TOPIC_MISSING naming every missing one. */
  describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]>;
  /** Names of all topics this client may see, internal ones left out. */
  listTopics(): Promise<readonly string[]>;
  /** Log start, high watermark and last stable offset, in the order asked. */
  bounds(partitions: readonly TopicPartition[]): Promise<readonly PartitionBounds[]>;
  /** First offset whose timestamp is ≥ `timestampMs`; undefined where the partition has none. */
  offsetsForTimestamps(
    partitions: readonly TopicPartition[],
    timestampMs: number,
  ): Promise<readonly (bigint | undefined)[]>;
  /** End of the log as of a leader epoch (OffsetForLeaderEpoch, KIP-320); undefined where the broker does not know the epoch. */
  endOffsetsForLeaderEpochs(
    partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]>;
  /**
   * Every consumer group of the cluster, by group id; those of Connect, share groups and streams left out. A group that only
   * keeps offsets, which nobody has ever joined, is `classic` and `Empty`.
   */
  listGroups(): Promise<readonly GroupSummary[]>;
  /**
   * A consumer group with its members. One that does not exist is `Dead`, `classic` and without members. Rejects with
   * GROUP_PROTOCOL_CONFLICT for a classic group whose members are no consumers (Connect).
   */
  describeGroup(groupId: string): Promise<GroupDescription>;
  /**
   * Offsets a consumer group has committed, of the topics or of all; partitions without one are absent. One that an open
   * transaction is about to change, or to write first, is asked for again within `requestTimeoutMs`, then the error is
   * retriable: it is never read as none.
   */
  committedOffsets(groupId: string, topics?: readonly string[]): Promise<readonly CommittedOffset[]>;
  /**
   * Writes offsets into a consumer group without being its member (the mirror, an operator); makes the group where there is
   * none. Resolves on the broker's answer. Rejects with GROUP_ACTIVE while the group has members: nothing is written then.
   */
  commitOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void>;
  /**
   * Deletes what a consumer group has committed for the partitions; one without an offset, or a group that does not exist,
   * has nothing to delete. Rejects with GROUP_ACTIVE for topics that members of the group are subscribed to, and with
   * KAFKA_TOPIC_MISSING; what was not refused is deleted all the same.
   */
  deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void>;
  /** A fetcher of its own: one long poll per broker carries all of its partitions. */
  openFetcher(options?: Partial<FetcherOptions>): Fetcher;
  /** A membership of a consumer group, not yet joined. Throws CONFIG_INVALID for what `capabilities.membership` rules out. */
  openMembership(options: MembershipOptions, listener: MembershipListener): GroupMembership;
}

export interface DriverCapabilities {
  /** Fetches by topic id, so that a re-created topic is an error and not other data. */
  readonly topicIdentity: boolean;
  /**
   * Gives what lies in the log as it lies there. Without it the client library has decoded the records: a header's null
   * value is an empty one, every timestamp counts as the producer's, raw batches are written anew.
   */
  readonly verbatim: boolean;
  readonly membership: MembershipCapabilities;
}

export interface TopicDescription {
  readonly topic: string;
  /** UUID text form. */
  readonly topicId: string;
  readonly partitions: readonly { readonly partition: number; readonly leader: number; readonly leaderEpoch: number }[];
}

export interface EpochEndOffset {
  readonly leaderEpoch: number;
  readonly endOffset: bigint;
}

export interface FetcherOptions {
  /** Bytes asked for per partition and request; a larger record batch still arrives whole. Default 1 MiB. */
  readonly fetchBytesMax: number;
  /** Bytes a stream may hold before it stops asking, checked before each request. Default 4 MiB. */
  readonly bufferedBytesMax: number;
  /** Longest wait of a long poll at the end of the log. Default 500. */
  readonly fetchWaitMs: number;
  /** Bytes one record batch may unpack to; beyond is KAFKA_BATCH_TOO_LARGE, before it is allocated. Default 128 MiB. */
  readonly batchBytesMax: number;
}

/** Reads several partitions forward at once. */
export interface Fetcher {
  /** Follows a partition from an offset on. The topic id pins the identity: another topic of that name is KAFKA_TOPIC_RECREATED. */
  follow(start: FollowStart): PartitionStream;
  /** Ends all streams, with KAFKA_CLOSED. */
  close(): Promise<void>;
}

export interface FollowStart extends TopicPartition {
  readonly topicId: string;
  readonly fromOffset: bigint;
  /**
   * Leader epoch of the last batch read below `fromOffset`, where it is on record: the leader checks it with every fetch
   * (KIP-320), and a log that was truncated below is KAFKA_LOG_TRUNCATED. Default: not checked until the first chunk.
   */
  readonly leaderEpoch?: number;
  /** Called whenever there is something new to look at: a chunk, fresh bounds, an error, a retry. Must not throw or block. */
  readonly onChange: () => void;
}

/**
 * One partition, read forward. Pull: chunks wait in the stream until taken, and the stream stops asking the broker
 * while it holds `bufferedBytesMax`. Chunks follow each other without a gap: each begins where the one before ended.
 * Retriable failures are retried for ever with backoff and fresh metadata, visible in `retrying`; any other failure ends the stream in `error`.
 */
export interface PartitionStream extends TopicPartition {
  /** The next chunk, or undefined when none waits. */
  take(): RecordChunk | undefined;
  /** Bounds as of the newest response; undefined before the first. */
  readonly bounds: PartitionBounds | undefined;
  /** Offset up to which chunks have been taken: where the next one begins. */
  readonly takenUntil: bigint;
  /** Offset up to which the stream has read: `[takenUntil, fetchedUntil)` waits in it. */
  readonly fetchedUntil: bigint;
  readonly bufferedBytes: number;
  /** Why the stream ended; chunks before the failure can still be taken. */
  readonly error: Error | undefined;
  /** The failure being retried now and since when (monotonic ms); undefined while all is well. */
  readonly retrying: { readonly error: Error; readonly sinceMs: number } | undefined;
  /** Drops what waits and an answer under way, and goes on from `offset`. A stream that has ended stays ended. */
  seek(offset: bigint): void;
  /** Drops what waits; `onChange` is not called any more. */
  close(): void;
}
