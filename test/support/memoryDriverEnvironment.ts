import { type DriverEnvironment, MemoryCluster, type OpenTransaction } from '../../src/testkit/index.ts';

/** A memory cluster as the conformance suite of drivers wants it. */
export function memoryDriverEnvironment(cluster = new MemoryCluster()): DriverEnvironment {
  let names = 0;
  return {
    newDriver: async () => cluster.driver(),
    createTopic: async (options) => {
      names += 1;
      const topic = `topic-${names}`;
      cluster.createTopic(topic, options);
      return topic;
    },
    deleteTopic: async (topic) => cluster.deleteTopic(topic),
    recreateTopic: async (topic) => {
      cluster.createTopic(topic);
    },
    produce: async (topic, partition, records) => cluster.produce(topic, partition, records),
    append: async (topic, partition, batch) => cluster.append(topic, partition, batch),
    beginTransaction: async (): Promise<OpenTransaction> => {
      const transaction = cluster.beginTransaction();
      return {
        send: async (topic, partition, records) => transaction.send(topic, partition, records),
        sendOffsets: async (groupId, offsets) => transaction.sendOffsets(groupId, offsets),
        commit: async () => transaction.commit(),
        abort: async () => transaction.abort(),
      };
    },
    deleteRecords: async (topic, partition, before) => cluster.deleteRecords(topic, partition, before),
  };
}
