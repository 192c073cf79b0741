import type { GroupProtocol } from '../../src/kafka/index.ts';
import { type MembershipEnvironment, MemoryCluster } from '../../src/testkit/index.ts';

let prefixes = 0;

export interface MemoryMembershipEnvironment extends MembershipEnvironment {
  readonly cluster: MemoryCluster;
}

/** Groups of a memory cluster in one protocol as the conformance suite of memberships wants them. */
export function memoryMembershipEnvironment(
  protocol: GroupProtocol,
  awaitsRevocation: boolean,
): MemoryMembershipEnvironment {
  const cluster = new MemoryCluster({ membership: { awaitsRevocation } });
  const newDriver = async () => {
    const driver = cluster.driver();
    await driver.connect();
    return driver;
  };
  const times = { sessionTimeoutMs: 4_000, heartbeatIntervalMs: 50, metadataRefreshMs: 100 };
  return {
    cluster,
    capabilities: { protocols: ['eager', 'cooperative', 'consumer'], staticMembership: true, awaitsRevocation },
    options: { protocol, ...times },
    newProcess: async () => {
      const driver = await newDriver();
      return { driver, isolate: () => driver.cut(), heal: () => driver.heal() };
    },
    createTopic: async (topic, partitions) => {
      cluster.createTopic(topic, { partitions });
    },
    addPartitions: async (topic, total) => cluster.addPartitions(topic, total),
    newPrefix: () => {
      prefixes += 1;
      return `party-${prefixes}-`;
    },
    joinForeign: async (groupId, topic) => {
      const driver = await newDriver();
      const listener = { assigned: () => {}, revoked: async () => {}, lost: () => {}, failed: () => {} };
      const other = protocol === 'consumer' ? 'eager' : 'consumer';
      await driver.openMembership({ groupId, subscription: { topics: [topic] }, protocol: other }, listener).join();
    },
  };
}
