import type { CommittedOffset, KafkaDriver } from '../../kafka/index.ts';

/** What a conformance suite needs of a test runner: a way to name a test, and `node:assert/strict`. */
export interface SuiteRunner {
  test(name: string, run: () => Promise<void>): void;
  readonly assert: {
    equal(actual: unknown, expected: unknown, message?: string): void;
    deepEqual(actual: unknown, expected: unknown, message?: string): void;
    ok(value: unknown, message?: string): void;
  };
}

/** One cluster and one kind of driver, as the suite sees them. Topics and drivers of a test may be left behind. */
export interface DriverEnvironment {
  /** A driver for the cluster, not yet connected. The environment closes it at the end where the suite does not. */
  newDriver(): Promise<KafkaDriver>;
  /** Makes a topic of a name that nobody else uses. */
  createTopic(options?: {
    readonly partitions?: number;
    readonly config?: Readonly<Record<string, string>>;
  }): Promise<string>;
  /** Resolves when the topic is gone. */
  deleteTopic(topic: string): Promise<void>;
  /** Makes a topic again that was deleted. */
  recreateTopic(topic: string): Promise<void>;
  /** Writes records as one batch and returns the offset of the first. */
  produce(topic: string, partition: number, records: readonly ProducedRecord[]): Promise<bigint>;
  /** Appends a record batch byte for byte, offsets and leader epoch aside, and returns the offset of the first record. */
  append(topic: string, partition: number, batch: Buffer): Promise<bigint>;
  /** Begins a transaction of a producer of its own. */
  beginTransaction(): Promise<OpenTransaction>;
  /** Moves the log start. */
  deleteRecords(topic: string, partition: number, before: bigint): Promise<void>;
  /**
   * Brings a member into a group of the new protocol (KIP-848), subscribed to one topic. For drivers whose own memberships do
   * not speak it: groups of it are listed, described and respected all the same.
   */
  joinNewProtocol?(groupId: string, topic: string): Promise<{ leave(): Promise<void> }>;
}

export interface ProducedRecord {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  /** Milliseconds; default: now. */
  readonly timestamp?: number;
}

export interface OpenTransaction {
  /** Writes records as one batch and returns the offset of the first. */
  send(topic: string, partition: number, records: readonly ProducedRecord[]): Promise<bigint>;
  /** Commits offsets of a group, which is not joined for it, with the transaction. */
  sendOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void>;
  /** Both resolve when the markers are in the logs. */
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface DriverSuite extends SuiteRunner {
  readonly environment: DriverEnvironment;
}
