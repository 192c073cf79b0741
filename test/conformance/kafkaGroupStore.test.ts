import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { createDriver } from '../../src/kafka/index.ts';
import { KafkaGroupStore } from '../../src/offsets/stores/kafkaGroup/index.ts';
import { MemoryCluster, type StoreEnvironment, storeConformance } from '../../src/testkit/index.ts';
import { kafkaService, topicPrefix } from '../services/index.ts';
import { withTopicPrefix } from '../support/namedTopics.ts';

/** What the suite calls its topics, and how many partitions of each it uses at most. */
const topics: Readonly<Record<string, number>> = {
  orders: 50,
  ...{ bills: 1, a: 4, 'a-b': 1, 'a.b': 2, b: 11, B: 1, '0': 1, 'A.b_c-1': 1 },
  ['x'.repeat(200)]: 1,
};

function environment(driver: Parameters<typeof withTopicPrefix>[0], groupPrefix: string): StoreEnvironment {
  let places = 0;
  return {
    capabilities: { fenced: false, history: false, controls: false },
    kafkaTopicsOnly: true,
    newPlace: async () => {
      places += 1;
      const place = `${groupPrefix}${places}`;
      return {
        newStore: (pipeline) => {
          const groupId = `${place}-${pipeline}`;
          return new KafkaGroupStore({ driver, groupId, pipeline, firstStart: true });
        },
        moveByHand: async () => {},
        removeByHand: async () => {},
      };
    },
  };
}

describe('the store in consumer groups of the memory cluster', async () => {
  const cluster = new MemoryCluster();
  for (const [topic, partitions] of Object.entries(topics)) cluster.createTopic(topic, { partitions });
  const driver = cluster.driver();
  await driver.connect();
  afterAll(() => driver.close());
  storeConformance({ test, assert, environment: environment(driver, 'place-') });
});

describe('the store in consumer groups of Kafka', async () => {
  const kafka = await kafkaService();
  const prefix = topicPrefix();
  for (const [topic, partitions] of Object.entries(topics))
    await kafka.createTopic(`${prefix}${topic}`, { partitions });
  const driver = await createDriver({ brokers: kafka.brokers });
  await driver.connect();
  afterAll(() => driver.close());
  storeConformance({ test, assert, environment: environment(withTopicPrefix(driver, prefix), prefix) });
});
