import { isTidemarkError } from '../../../errors.ts';
import type { CommittedOffset, KafkaDriver } from '../../../kafka/index.ts';
import { type PartitionKey, partitionKey } from '../../../model/index.ts';

/**
 * Topic ids for offsets that were committed by somebody who did not write one down: the topic as it is when we first see the
 * offset. The same offset keeps it, so that a topic that is made again meanwhile is noticed.
 */
export class TopicIds {
  readonly #driver: Pick<KafkaDriver, 'describeTopics'>;
  #seen: ReadonlyMap<PartitionKey, { readonly offset: bigint; readonly topicId: string }> = new Map();

  constructor(driver: Pick<KafkaDriver, 'describeTopics'>) {
    this.#driver = driver;
  }

  /** Empty where there is no such topic any more. Offsets that are not among these are forgotten. */
  async of(offsets: readonly CommittedOffset[]): Promise<ReadonlyMap<PartitionKey, string>> {
    const unseen = offsets.filter((one) => this.#seen.get(partitionKey(one))?.offset !== one.offset);
    const ids = await this.#ask([...new Set(unseen.map(({ topic }) => topic))]);
    const seen = offsets.map((one) => {
      const key = partitionKey(one);
      const topicId = unseen.includes(one) ? ids.get(one.topic) : this.#seen.get(key)?.topicId;
      return [key, { offset: one.offset, topicId: topicId ?? '' }] as const;
    });
    this.#seen = new Map(seen);
    return new Map(seen.map(([key, { topicId }]) => [key, topicId]));
  }

  async #ask(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (topics.length === 0) return new Map();
    try {
      const described = await this.#driver.describeTopics(topics);
      return new Map(described.map(({ topic, topicId }) => [topic, topicId]));
    } catch (error) {
      if (!isTidemarkError(error, 'KAFKA_TOPIC_MISSING')) throw error;
      if (topics.length === 1) return new Map();
      const each = await Promise.all(topics.map((topic) => this.#ask([topic])));
      return new Map(each.flatMap((ids) => [...ids]));
    }
  }
}
