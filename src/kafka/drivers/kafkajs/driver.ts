import { TidemarkError } from '../../../errors.ts';
import type { PartitionBounds, TopicPartition } from '../../../model/index.ts';
import { type Clock, systemClock } from '../../../platform/index.ts';
import type { ResolvedClientOptions } from '../../clientOptions.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { EpochEndOffset, Fetcher, FetcherOptions, KafkaDriver, TopicDescription } from '../../driver.ts';
import type { GroupDescription, GroupSummary } from '../../groups.ts';
import type { GroupMembership, MembershipListener, MembershipOptions } from '../../membership.ts';
import { brokerErrorCodes, type TopicMetadata } from '../../protocol/index.ts';
import { brokerFailure, topicsMissing } from '../../reading/index.ts';
import { Cluster } from './cluster.ts';
import { KafkajsFetcher } from './fetcher.ts';
import { consumerGroups, describedGroup } from './groupAdmin.ts';
import { commitGroupOffsets, deleteGroupOffsets, groupOffsets } from './groupOffsets.ts';
import { leaderEpochEnds, offsetsAtTimestamp, partitionBounds } from './leaderRequests.ts';
import { checkMembershipOptions } from './membership/checkOptions.ts';
import { KafkajsMembership } from './membership/membership.ts';

/** The port on kafkajs' connections. States: new → connecting → connected, and from each of them closed. */
export class KafkajsDriver implements KafkaDriver {
  readonly capabilities = {
    topicIdentity: true,
    verbatim: true,
    membership: { protocols: ['eager'], staticMembership: false, awaitsRevocation: false },
  } as const;
  readonly #cluster: Cluster;
  readonly #fetchers = new Set<KafkajsFetcher>();
  readonly #memberships = new Set<KafkajsMembership>();
  #state: 'new' | 'connecting' | 'connected' | 'closed' = 'new';

  constructor(options: ResolvedClientOptions, clock: Clock = systemClock) {
    this.#cluster = new Cluster(options, clock);
  }

  async connect(): Promise<void> {
    if (this.#state !== 'new') throw wrongState(`connect() in state ${this.#state}`);
    this.#state = 'connecting';
    try {
      await this.#cluster.bootstrap();
      // close() was called after the last answer came and before we went on: the driver stays closed.
      this.#cluster.closing.throwIfAborted();
      this.#state = 'connected';
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const reason = wrongState('the driver was closed');
    for (const fetcher of this.#fetchers) fetcher.end(reason);
    for (const membership of this.#memberships) membership.abandon(reason);
    this.#cluster.close(reason);
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    this.#checkConnected();
    if (topics.length === 0) return [];
    return this.#cluster.retrying(async () => {
      const found = new Map((await this.#cluster.refresh(topics)).map((topic) => [topic.topic, topic]));
      const missing = topics.filter((topic) => isMissing(found.get(topic)));
      if (missing.length > 0) throw topicsMissing(missing);
      return topics.map((topic) => describe(topic, found.get(topic)));
    });
  }

  async listTopics(): Promise<readonly string[]> {
    this.#checkConnected();
    const topics = await this.#cluster.retrying(() => this.#cluster.refresh(null));
    return topics
      .filter(({ isInternal, errorCode }) => !isInternal && errorCode === 0)
      .map(({ topic }) => topic)
      .sort();
  }

  async bounds(partitions: readonly TopicPartition[]): Promise<readonly PartitionBounds[]> {
    this.#checkConnected();
    return partitionBounds(this.#cluster, partitions);
  }

  async offsetsForTimestamps(
    partitions: readonly TopicPartition[],
    timestampMs: number,
  ): Promise<readonly (bigint | undefined)[]> {
    this.#checkConnected();
    const offsets = await offsetsAtTimestamp(this.#cluster, partitions, timestampMs);
    return offsets.map((offset) => (offset < 0n ? undefined : offset));
  }

  async endOffsetsForLeaderEpochs(
    partitions: readonly (TopicPartition & { readonly leaderEpoch: number })[],
  ): Promise<readonly (EpochEndOffset | undefined)[]> {
    this.#checkConnected();
    return leaderEpochEnds(this.#cluster, partitions);
  }

  async listGroups(): Promise<readonly GroupSummary[]> {
    this.#checkConnected();
    return consumerGroups(this.#cluster);
  }

  async describeGroup(groupId: string): Promise<GroupDescription> {
    this.#checkConnected();
    return describedGroup(this.#cluster, groupId);
  }

  async committedOffsets(groupId: string, topics?: readonly string[]): Promise<readonly CommittedOffset[]> {
    this.#checkConnected();
    return groupOffsets(this.#cluster, groupId, topics);
  }

  async commitOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void> {
    this.#checkConnected();
    if (offsets.length > 0) await commitGroupOffsets(this.#cluster, groupId, offsets);
  }

  async deleteOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    this.#checkConnected();
    if (partitions.length > 0) await deleteGroupOffsets(this.#cluster, groupId, partitions);
  }

  openFetcher(options: Partial<FetcherOptions> = {}): Fetcher {
    this.#checkConnected();
    const fetcher = new KafkajsFetcher(this.#cluster, options, () => this.#fetchers.delete(fetcher));
    this.#fetchers.add(fetcher);
    return fetcher;
  }

  openMembership(options: MembershipOptions, listener: MembershipListener): GroupMembership {
    this.#checkConnected();
    checkMembershipOptions(options, this.capabilities.membership);
    const membership: KafkajsMembership = new KafkajsMembership(this.#cluster, options, listener, () => {
      this.#memberships.delete(membership);
    });
    this.#memberships.add(membership);
    return membership;
  }

  #checkConnected(): void {
    if (this.#state !== 'connected') throw wrongState(`the driver is ${this.#state}, not connected`);
  }
}

function wrongState(what: string): TidemarkError {
  return new TidemarkError('KAFKA_CLOSED', `Kafka: ${what}`);
}

function isMissing(topic: TopicMetadata | undefined): boolean {
  const code = topic?.errorCode ?? brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  return code === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION || code === brokerErrorCodes.INVALID_TOPIC_EXCEPTION;
}

function describe(topic: string, metadata: TopicMetadata | undefined): TopicDescription {
  const code = metadata?.errorCode ?? brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
  if (metadata === undefined || code !== 0) throw brokerFailure(code, { action: `describe topic ${topic}`, topic });
  const partitions = metadata.partitions.map(({ partition, leader, leaderEpoch }) => ({
    partition,
    leader,
    leaderEpoch,
  }));
  return { topic, topicId: metadata.topicId, partitions: partitions.sort((a, b) => a.partition - b.partition) };
}
