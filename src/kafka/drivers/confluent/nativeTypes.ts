/**
 * The part of `@confluentinc/kafka-javascript` that the driver uses, as version 1.10.1 behaves. Own types: the package need
 * not be installed where tidemark is compiled or used, and its declarations are wrong in places (offsets as strings).
 */

export interface NativePartition {
  readonly topic: string;
  readonly partition: number;
}

/** Offsets are numbers: a bigint or a string throws in `assign`, and in a commit counts as 0. */
export interface NativeOffset extends NativePartition {
  readonly offset: number;
  readonly metadata?: string | null;
  readonly leaderEpoch?: number;
  readonly error?: NativeError;
}

/** Positive codes are the broker's, negative ones librdkafka's own. */
export interface NativeError {
  readonly code: number;
  readonly message: string;
}

export interface NativeMessage extends NativePartition {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly leaderEpoch?: number;
  /** One object with one property each; a null value arrives as an empty Buffer. */
  readonly headers?: readonly Readonly<Record<string, Buffer>>[];
}

type Done<T> = (error: NativeError | null | undefined, result: T) => void;

export interface NativeConsumer {
  on(event: 'data', listener: (message: NativeMessage) => void): this;
  /** Everything below `offset` was delivered or holds nothing to deliver, and nothing follows for now. */
  on(event: 'partition.eof', listener: (end: NativePartition & { readonly offset: number }) => void): this;
  /** The callback for tokens failed, or what it gave was refused by the library. */
  on(event: 'error', listener: (error: { readonly message: string }) => void): this;
  on(event: 'event.error', listener: (error: NativeError) => void): this;
  on(event: 'event.log', listener: (line: { readonly fac: string; readonly message: string }) => void): this;
  on(
    event: 'offset.commit',
    listener: (error: NativeError | null | undefined, offsets: readonly NativePartition[]) => void,
  ): this;
  connect(options: { readonly allTopics: false; readonly timeout: number }, done: Done<unknown>): void;
  /** A second call while one is under way never calls back. */
  disconnect(done: () => void): void;
  setDefaultConsumeTimeout(ms: number): void;
  /** Emits `data` and `partition.eof`; an error that comes after a message in the same call is dropped. */
  consume(count: number, done: Done<readonly NativeMessage[]>): void;
  subscribe(topics: readonly string[]): void;
  unsubscribe(): void;
  assign(partitions: readonly NativePartition[]): void;
  unassign(): void;
  incrementalAssign(partitions: readonly NativePartition[]): void;
  incrementalUnassign(partitions: readonly NativePartition[]): void;
  /** Return an error code, 0 for none, or throw it. */
  pause(partitions: readonly NativePartition[]): unknown;
  resume(partitions: readonly NativePartition[]): unknown;
  assignments(): readonly NativePartition[];
  /** Whether what is assigned may have been given to someone else already. */
  assignmentLost(): boolean;
  rebalanceProtocol(): string;
  /** Returns before anything was sent; the broker's answer is the event `offset.commit`. */
  commit(offsets: readonly NativeOffset[]): void;
  /** As of the last fetch. */
  getWatermarkOffsets(topic: string, partition: number): { readonly lowOffset: number; readonly highOffset: number };
}

export interface NativeUuid {
  readonly mostSignificantBits: bigint;
  readonly leastSignificantBits: bigint;
}

export interface NativeTopic {
  readonly name: string;
  readonly topicId: NativeUuid;
  readonly isInternal: boolean;
  readonly error?: NativeError;
  readonly partitions: readonly { readonly partition: number; readonly leader: { readonly id: number } | null }[];
}

/** `describeGroups` is not among them: it ends the process where the answer is an error. */
export interface NativeAdmin {
  describeTopics(
    topics: readonly string[],
    options: { readonly timeout: number },
    done: Done<readonly NativeTopic[]>,
  ): void;
  listTopics(options: { readonly timeout: number }, done: Done<readonly string[]>): void;
  listOffsets(
    partitions: readonly (NativePartition & { readonly offset: unknown })[],
    options: { readonly timeout: number; readonly isolationLevel: number },
    done: Done<readonly NativeOffset[]>,
  ): void;
}

export interface AdminClient {
  createFrom(consumer: NativeConsumer): NativeAdmin;
}

export interface Library {
  /** The second argument must be undefined: even `{}` voids topic-level keys of the first, the reset policy among them. */
  readonly KafkaConsumer: new (
    configuration: Record<string, unknown>,
    topicConfiguration: undefined,
  ) => NativeConsumer;
  readonly AdminClient: AdminClient;
  readonly OffsetSpec: {
    new (timestampMs: number): unknown;
    readonly EARLIEST: unknown;
    readonly LATEST: unknown;
  };
}
