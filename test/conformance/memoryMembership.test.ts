import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { groupProtocols } from '../../src/kafka/index.ts';
import { membershipConformance } from '../../src/testkit/index.ts';
import { memoryMembershipEnvironment } from '../support/memoryMembershipEnvironment.ts';

describe.each(groupProtocols)('a membership of the memory cluster, %s', (protocol) => {
  describe.each([true, false])('that waits for revoked: %s', (awaitsRevocation) => {
    const environment = memoryMembershipEnvironment(protocol, awaitsRevocation);
    // Most of a test is waiting for heartbeats and sessions.
    membershipConformance({ test: test.concurrent, assert, environment });
  });
});
