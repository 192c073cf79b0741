import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { membershipConformance } from '../../src/testkit/index.ts';
import { kafkaService } from '../services/index.ts';
import { membershipEnvironment } from '../support/membershipEnvironment.ts';

const kafka = await kafkaService({ owned: true });
const environment = await membershipEnvironment(
  kafka.brokers,
  'kafkajs',
  { protocols: ['eager'], staticMembership: false, awaitsRevocation: false },
  { sessionTimeoutMs: 3_000, heartbeatIntervalMs: 200, metadataRefreshMs: 500 },
);

afterAll(async () => {
  await environment.close();
  await kafka.stop();
});

describe('memberships of the kafkajs driver', () => {
  // Most of a test is waiting for the group, and no test looks at the group of another.
  membershipConformance({ test: test.concurrent, assert, environment });
});
