import type { KafkaDriver } from '../../src/kafka/index.ts';

type Calls = Pick<KafkaDriver, 'committedOffsets' | 'commitOffsets' | 'deleteOffsets' | 'describeTopics'>;

/** A driver whose topics have a prefix that its caller does not see: tests that name theirs share a broker. */
export function withTopicPrefix(driver: Calls, prefix: string): Calls {
  const outside = <T extends { readonly topic: string }>(one: T): T => ({ ...one, topic: `${prefix}${one.topic}` });
  const inside = <T extends { readonly topic: string }>(one: T): T => ({
    ...one,
    topic: one.topic.slice(prefix.length),
  });
  return {
    describeTopics: async (topics) =>
      (await driver.describeTopics(topics.map((topic) => `${prefix}${topic}`))).map(inside),
    committedOffsets: async (groupId, topics) =>
      (
        await driver.committedOffsets(
          groupId,
          topics?.map((topic) => `${prefix}${topic}`),
        )
      ).map(inside),
    commitOffsets: (groupId, offsets) => driver.commitOffsets(groupId, offsets.map(outside)),
    deleteOffsets: (groupId, partitions) => driver.deleteOffsets(groupId, partitions.map(outside)),
  };
}
