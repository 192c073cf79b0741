import type {
  CommittedOffset,
  DriverCapabilities,
  EpochEndOffset,
  Fetcher,
  FetcherOptions,
  GroupDescription,
  GroupMembership,
  GroupSummary,
  KafkaDriver,
  MembershipListener,
  MembershipOptions,
  TopicDescription,
} from '../../kafka/index.ts';
import { topicsMissing } from '../../kafka/reading/index.ts';
import type { PartitionBounds, TopicPartition } from '../../model/index.ts';
import { CoordinatorCalls } from './coordinatorCalls.ts';
import type { CallFacts } from './faults.ts';
import { MemoryFetcher } from './fetcher.ts';
import { deleteGroupOffsets, describedGroup, listedGroups } from './groupAdmin.ts';
import type { GroupOffsets } from './groupOffsets.ts';
import type { Groups } from './groups.ts';
import { closedError, type KafkaCall, type Link } from './link.ts';
import { MemoryMembership } from './membership.ts';
import { resolveMembership } from './membershipOptions.ts';
import type { Topics } from './topics.ts';

/** What a driver works on. */
export interface DriverParts {
  readonly topics: Topics;
  readonly offsets: GroupOffsets;
  readonly link: Link;
  readonly capabilities: DriverCapabilities;
  readonly groups: Groups;
}

/**
 * A driver of the memory cluster: one process as Kafka sees it. It can be cut off from the cluster and healed; meanwhile its
 * calls fail as they do when a connection is lost, and are tried again.
 */
export class MemoryDriver implements KafkaDriver {
  readonly capabilities: DriverCapabilities;
  readonly #parts: DriverParts;
  readonly #fetchers = new Set<MemoryFetcher>();
  readonly #memberships = new Set<MemoryMembership>();
  #state: 'new' | 'connecting' | 'connected' | 'closed' = 'new';

  /** Made by `MemoryCluster.driver()`. */
  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.capabilities = parts.capabilities;
  }

  /** The name that rules of `cluster.faults` know this driver by, as `client`. */
  get name(): string {
    return this.#parts.link.client;
  }

  /** Cuts this driver off from the cluster: what is under way fails, and so does everything until `heal`. */
  cut(): void {
    this.#parts.link.cut();
  }

  /** Ends the cut: what is being retried succeeds with its next attempt. */
  heal(): void {
    this.#parts.link.heal();
  }

  async connect(): Promise<void> {
    if (this.#state !== 'new') throw closedError(`connect() in state ${this.#state}`);
    this.#state = 'connecting';
    try {
      await this.#ask('connect', {}, () => {});
      this.#state = 'connected';
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const reason = closedError('the driver was closed');
    for (const membership of this.#memberships) membership.abandon(reason);
    for (const fetcher of [...this.#fetchers]) fetcher.end(reason);
    this.#parts.link.close(reason);
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    this.#checkConnected();
    return this.#ask('describeTopics', factsOf(topics.map((topic) => ({ topic }))), () => {
      const missing = topics.filter((topic) => this.#parts.topics.find(topic) === undefined);
      if (missing.length > 0) throw topicsMissing(missing);
      return topics.map((topic) => {
        const { topicId, partitions } = this.#parts.topics.get(topic);
        const described = partitions.map(({ leader, log }, partition) => {
          return { partition, leader, leaderEpoch: log.leaderEpoch };
        });
        return { topic, topicId, partitions: described };
      });
    });
  }

  async listTopics(): Promise<readonly string[]> {
    this.#checkConnected();
    return this.#ask('listTopics', {}, () => this.#parts.topics.names.filter((name) => !name.startsWith('__')));
  }

  async bounds(partitions: readonly TopicPartition[]): Promise<readonly PartitionBounds[]> {
    this.#checkConnected();
    const { topics } = this.#parts;
    return this.#ask('bounds', factsOf(partitions), () => partitions.map((of) => topics.partition(of).log.bounds));
  }

  async offsetsForTimestamps(
    partitions: readonly TopicPartition[],
    timestampMs: number,
  ): Promise<readonly (bigint | undefined)[]> {
    this.#checkConnected();
    const { topics } = this.#parts;
    return this.#ask('offsetsForTimestamps', factsOf(partitions), () =>
      partitions.map((of) => topics.partition(of).log.offsetAt(timestampMs)),
    );
  }

  async endOffsetsForLeaderEpochs(
    partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]> {
    this.#checkConnected();
    const { topics } = this.#parts;
    return this.#ask('endOffsetsForLeaderEpochs', factsOf(partitions), () =>
      partitions.map((of) => topics.partition(of).log.endOfEpoch(of.leaderEpoch)),
    );
  }

  async listGroups(): Promise<readonly GroupSummary[]> {
    this.#checkConnected();
    const { groups, offsets } = this.#parts;
    return this.#ask('listGroups', {}, () => listedGroups(groups, offsets));
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    this.#checkConnected();
    const { groups, offsets } = this.#parts;
    return this.#ask('describeGroup', { groupId }, () => describedGroup(groups, offsets, groupId));
  }

  async committedOffsets(groupId: string, topics?: readonly string[]): Promise<readonly CommittedOffset[]> {
    this.#checkConnected();
    return this.#ask('committedOffsets', { groupId }, () => this.#parts.offsets.read(groupId, topics));
  }

  async commitOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void> {
    this.#checkConnected();
    if (offsets.length === 0) return;
    const { groups, offsets: committed } = this.#parts;
    await this.#ask('commitOffsets', { groupId }, () => {
      groups.get(groupId).checkCommitByStranger();
      committed.commit(groupId, offsets);
    });
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    this.#checkConnected();
    if (partitions.length === 0) return;
    await this.#ask('deleteOffsets', { groupId }, () => deleteGroupOffsets(this.#parts, groupId, partitions));
  }

  openFetcher(options: Partial<FetcherOptions> = {}): Fetcher {
    this.#checkConnected();
    const { topics, link } = this.#parts;
    const fetcher = new MemoryFetcher(topics, link, options, (ended) => this.#fetchers.delete(ended));
    this.#fetchers.add(fetcher);
    return fetcher;
  }

  openMembership(options: MembershipOptions, listener: MembershipListener): GroupMembership {
    this.#checkConnected();
    const { topics, groups, offsets, link } = this.#parts;
    const resolved = resolveMembership(options, this.capabilities.membership, topics);
    const coordinator = new CoordinatorCalls(groups.get(options.groupId), offsets, link);
    const membership = new MemoryMembership(coordinator, link, resolved, listener);
    this.#memberships.add(membership);
    return membership;
  }

  #ask<T>(call: KafkaCall, facts: CallFacts, work: () => T): Promise<T> {
    const { link } = this.#parts;
    return link.retrying(() => link.call(call, facts, work));
  }

  #checkConnected(): void {
    if (this.#state !== 'connected') throw closedError(`the driver is ${this.#state}, not connected`);
  }
}

/** What a call about several partitions has in common. */
function factsOf(of: readonly { readonly topic: string; readonly partition?: number }[]): CallFacts {
  const [first] = of;
  if (first === undefined || of.some(({ topic }) => topic !== first.topic)) return {};
  const { topic, partition } = first;
  return of.length === 1 && partition !== undefined ? { topic, partition } : { topic };
}
