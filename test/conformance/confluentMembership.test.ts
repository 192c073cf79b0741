import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import type { GroupProtocol } from '../../src/kafka/index.ts';
import { membershipConformance } from '../../src/testkit/index.ts';
import { kafkaService } from '../services/index.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import { membershipEnvironment } from '../support/membershipEnvironment.ts';

needsConfluent();

const times = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 500, metadataRefreshMs: 500 };
// Under the new protocol it is the brokers that say so.
const kafka = await kafkaService({
  owned: true,
  config: {
    // A classic group with members is not taken over: that is what the suite means by another protocol.
    'group.consumer.migration.policy': 'disabled',
    'group.consumer.min.session.timeout.ms': String(times.sessionTimeoutMs),
    'group.consumer.session.timeout.ms': String(times.sessionTimeoutMs),
    'group.consumer.min.heartbeat.interval.ms': String(times.heartbeatIntervalMs),
    'group.consumer.heartbeat.interval.ms': String(times.heartbeatIntervalMs),
  },
});
const protocols: readonly GroupProtocol[] = ['consumer', 'cooperative', 'eager'];
const environments = await Promise.all(
  protocols.map(async (protocol) => {
    // Under the eager protocol everything is given up before anyone knows what moves: nobody is waited for.
    const capabilities = { protocols, staticMembership: true, awaitsRevocation: protocol !== 'eager' };
    const options = { protocol, ...times };
    const environment = await membershipEnvironment(kafka.brokers, 'confluent', capabilities, options);
    return { protocol, environment: { ...environment, isSticky: protocol !== 'eager' } };
  }),
);

afterAll(async () => {
  await Promise.all(environments.map(({ environment }) => environment.close()));
  await kafka.stop();
});

for (const { protocol, environment } of environments) {
  describe(`memberships of the confluent driver, ${protocol}`, () => {
    // Most of a test is waiting for the group, and no test looks at the group of another.
    membershipConformance({ test: test.concurrent, assert, environment });
  });
}
