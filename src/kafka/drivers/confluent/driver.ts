import type { PartitionBounds, TopicPartition } from '../../../model/index.ts';
import { type Clock, systemClock } from '../../../platform/index.ts';
import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { EpochEndOffset, Fetcher, FetcherOptions, KafkaDriver, TopicDescription } from '../../driver.ts';
import type { GroupDescription, GroupSummary } from '../../groups.ts';
import type { GroupMembership, MembershipListener, MembershipOptions } from '../../membership.ts';
import { consumerGroups, describedGroup } from '../kafkajs/groupAdmin.ts';
import { commitGroupOffsets, deleteGroupOffsets, groupOffsets } from '../kafkajs/groupOffsets.ts';
import { ConfluentClient } from './client.ts';
import { closedError } from './failures.ts';
import { ConfluentFetcher } from './fetcher.ts';
import { describedTopics, offsetsAtTimestamp, partitionBounds, topicNames } from './lookups.ts';
import { ConfluentMembership } from './membership.ts';
import type { Library } from './nativeTypes.ts';
import { OwnRequests } from './ownRequests.ts';

/** The port on librdkafka. States: new → connecting → connected, and from each of them closed. */
export class ConfluentDriver implements KafkaDriver {
  readonly capabilities = {
    topicIdentity: false,
    verbatim: false,
    membership: { protocols: ['consumer', 'cooperative', 'eager'], staticMembership: true, awaitsRevocation: true },
  } as const;
  readonly #client: ConfluentClient;
  readonly #requests: OwnRequests;
  readonly #fetchers = new Set<ConfluentFetcher>();
  readonly #memberships = new Set<ConfluentMembership>();
  #state: 'new' | 'connecting' | 'connected' | 'closed' = 'new';
  #closing: Promise<unknown> = Promise.resolve();

  constructor(library: Library, options: ResolvedClientOptions, clock: Clock = systemClock) {
    this.#client = new ConfluentClient(library, options, clock);
    this.#requests = new OwnRequests(options, clock);
  }

  async connect(): Promise<void> {
    if (this.#state !== 'new') throw closedError(`connect() in state ${this.#state}`);
    this.#state = 'connecting';
    try {
      await this.#client.connect();
      // close() was called after the last answer came and before we went on: the driver stays closed.
      this.#client.closing.throwIfAborted();
      this.#state = 'connected';
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      const reason = closedError('the driver was closed');
      this.#requests.close(reason);
      this.#closing = Promise.all([
        ...[...this.#fetchers].map((fetcher) => fetcher.end(reason)),
        ...[...this.#memberships].map((membership) => membership.abandon(reason)),
        this.#client.close(reason),
      ]);
    }
    await this.#closing;
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    this.#checkConnected();
    return describedTopics(this.#client, topics);
  }

  async listTopics(): Promise<readonly string[]> {
    this.#checkConnected();
    return topicNames(this.#client);
  }

  async bounds(partitions: readonly TopicPartition[]): Promise<readonly PartitionBounds[]> {
    this.#checkConnected();
    return partitionBounds(this.#client, partitions);
  }

  async offsetsForTimestamps(
    partitions: readonly TopicPartition[],
    timestampMs: number,
  ): Promise<readonly (bigint | undefined)[]> {
    this.#checkConnected();
    return offsetsAtTimestamp(this.#client, partitions, timestampMs);
  }

  async endOffsetsForLeaderEpochs(
    partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]> {
    this.#checkConnected();
    return this.#requests.epochEnds(partitions);
  }

  async listGroups(): Promise<readonly GroupSummary[]> {
    this.#checkConnected();
    return consumerGroups(await this.#requests.connected());
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    this.#checkConnected();
    return describedGroup(await this.#requests.connected(), groupId);
  }

  async committedOffsets(groupId: string, topics?: readonly string[]): Promise<readonly CommittedOffset[]> {
    this.#checkConnected();
    return groupOffsets(await this.#requests.connected(), groupId, topics);
  }

  async commitOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void> {
    this.#checkConnected();
    if (offsets.length > 0) await commitGroupOffsets(await this.#requests.connected(), groupId, offsets);
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    this.#checkConnected();
    if (partitions.length > 0) await deleteGroupOffsets(await this.#requests.connected(), groupId, partitions);
  }

  openFetcher(options: Partial<FetcherOptions> = {}): Fetcher {
    this.#checkConnected();
    const fetcher = new ConfluentFetcher(this.#client, this.#requests, options, () => this.#fetchers.delete(fetcher));
    this.#fetchers.add(fetcher);
    return fetcher;
  }

  openMembership(options: MembershipOptions, listener: MembershipListener): GroupMembership {
    this.#checkConnected();
    const [usual] = this.capabilities.membership.protocols;
    const membership = new ConfluentMembership(
      this.#client,
      this.#requests,
      options.protocol ?? usual,
      options,
      listener,
      () => this.#memberships.delete(membership),
    );
    this.#memberships.add(membership);
    return membership;
  }

  #checkConnected(): void {
    if (this.#state !== 'connected') throw closedError(`the driver is ${this.#state}, not connected`);
  }
}
