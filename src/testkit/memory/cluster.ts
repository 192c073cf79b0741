import {
  type CommittedOffset,
  type DriverDefinition,
  groupProtocols,
  type MembershipCapabilities,
} from '../../kafka/index.ts';
import type { PartitionBounds } from '../../model/index.ts';
import { type Clock, systemClock } from '../../platform/index.ts';
import type { TestCodec } from '../codecPackers.ts';
import { type CompactionOptions, compact } from './compaction.ts';
import { MemoryDriver } from './driver.ts';
import { Faults } from './faults.ts';
import { GroupOffsets } from './groupOffsets.ts';
import type { GroupState } from './groupState.ts';
import { Groups } from './groups.ts';
import { connectionLost, type KafkaCall, Link } from './link.ts';
import { MemoryProducer, type MemoryRecord, type MemoryTransaction, Producers } from './producers.ts';
import { Topics } from './topics.ts';

export interface MemoryClusterOptions {
  /** The time of the cluster and of its drivers. Default: the system's. */
  readonly clock?: Clock;
  /** Number of brokers, with ids from 1 on. Default 3. */
  readonly brokers?: number;
  /**
   * What memberships of its drivers can do, to be like one client library or another. Default: every protocol, static
   * membership, and a group that waits for `revoked`.
   */
  readonly membership?: Partial<MembershipCapabilities>;
}

/**
 * A Kafka cluster in memory, at the driver port: what a test needs in place of brokers. It keeps Kafka's rules (bounds, the
 * last stable offset, aborted transactions, compaction, retention, leader epochs, topic ids, consumer groups), and its logs hold
 * real record batches, read by the same code as those of a broker. Whatever a test does to it happens at once.
 *
 * ```ts
 * const cluster = new MemoryCluster();
 * cluster.createTopic('orders', { partitions: 2 });
 * cluster.produce('orders', 0, [{ value: '{"id":1}' }]);
 * const pipeline = definePipeline({ pipeline: 'orders', kafka: cluster, source: { topics: ['orders'] }, sink });
 * ```
 */
export class MemoryCluster implements DriverDefinition {
  readonly clock: Clock;
  /** What goes wrong between the drivers and the cluster. */
  readonly faults: Faults<KafkaCall>;
  readonly #topics: Topics;
  readonly #offsets: GroupOffsets;
  readonly #producers: Producers;
  readonly #groups: Groups;
  readonly #membership: MembershipCapabilities;
  #drivers = 0;
  #transactionalIds = 0;

  constructor({ clock = systemClock, brokers = 3, membership = {} }: MemoryClusterOptions = {}) {
    this.clock = clock;
    this.#membership = { protocols: groupProtocols, staticMembership: true, awaitsRevocation: true, ...membership };
    this.faults = new Faults<KafkaCall>(clock, connectionLost);
    this.#topics = new Topics(clock, brokers);
    this.#offsets = new GroupOffsets(this.#topics);
    this.#producers = new Producers(this.#topics, this.#offsets, clock);
    this.#groups = new Groups(this.#topics, clock, this.#membership.awaitsRevocation);
  }

  /** A driver, not yet connected: one for each process of the test. */
  driver(name?: string): MemoryDriver {
    this.#drivers += 1;
    const link = new Link(name ?? `driver-${this.#drivers}`, this.clock, this.faults);
    return new MemoryDriver({
      topics: this.#topics,
      offsets: this.#offsets,
      link,
      capabilities: { topicIdentity: true, verbatim: true, membership: this.#membership },
      groups: this.#groups,
    });
  }

  /** For `kafka` of the options of a pipeline: a driver of its own each time. */
  createDriver(): MemoryDriver {
    return this.driver();
  }

  /** Makes a topic. `config`: `retention.ms` is honoured. Returns its id. */
  createTopic(
    topic: string,
    options: { readonly partitions?: number; readonly config?: Readonly<Record<string, string>> } = {},
  ): string {
    return this.#topics.create(topic, options.partitions ?? 1, options.config ?? {}).topicId;
  }

  /** Names of its topics, in order. */
  get topics(): readonly string[] {
    return this.#topics.names;
  }

  /** Deletes a topic with its offsets; made again, it has another id. */
  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
    this.#offsets.forget(topic);
  }

  /** Gives a topic more partitions, up to `total`. */
  addPartitions(topic: string, total: number): void {
    this.#topics.addPartitions(topic, total);
  }

  /** Writes records as one batch; returns the offset of the first. A record without a timestamp gets the time of the clock. */
  produce(
    topic: string,
    partition: number,
    records: readonly MemoryRecord[],
    options: { readonly codec?: TestCodec } = {},
  ): bigint {
    return this.#producers.write({ topic, partition }, records, options);
  }

  /** Appends one record batch byte for byte, offsets and leader epoch aside; returns the offset of its first record. */
  append(topic: string, partition: number, batch: Buffer): bigint {
    return this.#topics.partition({ topic, partition }).log.append(batch);
  }

  /** A transactional producer. A former one of the same id is fenced, and its open transaction aborted. */
  producer(transactionalId: string): MemoryProducer {
    return new MemoryProducer(this.#producers, transactionalId);
  }

  /** Begins a transaction of a producer that nobody else has. */
  beginTransaction(): MemoryTransaction {
    this.#transactionalIds += 1;
    return this.producer(`transactional-id-${this.#transactionalIds}`).beginTransaction();
  }

  bounds(topic: string, partition: number): PartitionBounds {
    return this.#topics.partition({ topic, partition }).log.bounds;
  }

  /** A consumer group: its generation, its members, and what each of them has. */
  group(groupId: string): GroupState {
    return this.#groups.get(groupId).state;
  }

  /** Takes a member out of its group at once; it hears of it with its next heartbeat. */
  expelMember(groupId: string, memberId: string): void {
    this.#groups.get(groupId).expel(memberId);
  }

  /** Offsets a consumer group has committed for a topic. */
  committedOffsets(groupId: string, topic: string): readonly CommittedOffset[] {
    return this.#offsets.read(groupId, [topic]);
  }

  /** Moves the log start up to `before`, as retention or an operator does. */
  deleteRecords(topic: string, partition: number, before: bigint): void {
    this.#topics.partition({ topic, partition }).log.deleteBefore(before);
  }

  /** Runs the log cleaner over a partition. */
  compact(topic: string, partition: number, options: CompactionOptions = {}): void {
    compact(this.#topics.partition({ topic, partition }).log, options);
  }

  /** Gives a partition another leader, the next broker by default, with the next leader epoch. */
  moveLeader(topic: string, partition: number, to?: number): void {
    this.#topics.moveLeader({ topic, partition }, to);
  }

  /**
   * An unclean election: the new leader does not have the record batches that reach `offset`. Returns the end of its log.
   * Consumers that had read beyond it are told so (KAFKA_LOG_TRUNCATED).
   */
  truncate(topic: string, partition: number, offset: bigint): bigint {
    const { log } = this.#topics.partition({ topic, partition });
    log.truncate(offset);
    return log.endOffset;
  }
}
