import { topicPattern } from '../../../balancing/index.ts';
import type { MembershipOptions } from '../../../membership.ts';
import { brokerErrorCodes, type TopicMetadata } from '../../../protocol/index.ts';
import { brokerFailure, topicsMissing } from '../../../reading/index.ts';
import type { Cluster } from '../cluster.ts';

/** Topics of a subscription and their numbers of partitions, as the brokers have them. */
export class SubscribedTopics {
  readonly #cluster: Cluster;
  readonly #names: readonly string[] | undefined;
  readonly #pattern: RegExp | undefined;
  /** Every topic that ever matched; see `#note`. */
  readonly #matched = new Set<string>();
  /** Last known numbers of partitions. */
  readonly #partitions = new Map<string, number>();

  /** Throws CONFIG_INVALID for a pattern that is none. */
  constructor(cluster: Cluster, subscription: MembershipOptions['subscription']) {
    this.#cluster = cluster;
    if ('topics' in subscription) this.#names = [...new Set(subscription.topics)].sort();
    else this.#pattern = topicPattern(subscription.pattern);
  }

  /** Names of the topics now. Rejects with KAFKA_TOPIC_MISSING when a named one never existed. */
  async names(): Promise<readonly string[]> {
    return this.#cluster.retrying(async () => {
      const found = await this.#cluster.refresh(this.#names ?? null);
      this.#note(found);
      if (this.#names !== undefined) {
        this.#checkExist(this.#names);
        return this.#names;
      }
      for (const { topic, isInternal, errorCode } of found) {
        if (!isInternal && errorCode === 0 && this.#pattern?.test(topic)) this.#matched.add(topic);
      }
      return [...this.#matched].sort();
    });
  }

  /** Numbers of partitions now, also of topics that only other members are subscribed to. */
  async partitionsOf(topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
    this.#note(await this.#cluster.refresh(topics));
    return new Map(topics.map((topic) => [topic, this.#partitions.get(topic) ?? 0]));
  }

  /**
   * A topic that is not there (any more) keeps its last number: a broker that lags behind must not take partitions from
   * everybody, and of a deleted topic whoever reads it has to speak, with the offsets that are gone.
   */
  #note(found: readonly TopicMetadata[]): void {
    for (const { topic, errorCode, partitions } of found) {
      if (errorCode === 0 && partitions.length > 0) this.#partitions.set(topic, partitions.length);
    }
  }

  #checkExist(names: readonly string[]): void {
    const unknown = names.filter((topic) => !this.#partitions.has(topic));
    for (const topic of unknown) {
      const code = this.#cluster.metadata.topic(topic)?.errorCode ?? 0;
      if (code === 0 || code === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION) continue;
      throw brokerFailure(code, { action: `describe topic ${topic}`, topic });
    }
    if (unknown.length > 0) throw topicsMissing(unknown);
  }
}
