import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { membershipConformance } from '../../src/testkit/index.ts';
import { memoryMembershipEnvironment } from '../support/memoryMembershipEnvironment.ts';

describe.each([
  ['eager', true],
  ['eager', false],
  ['cooperative', true],
  ['consumer', true],
] as const)('a membership of the memory cluster, %s, the group waits for revoked: %s', (protocol, awaitsRevocation) => {
  const environment = memoryMembershipEnvironment(protocol, awaitsRevocation);
  // Most of a test is waiting for heartbeats and sessions.
  membershipConformance({ test: test.concurrent, assert, environment });
});
