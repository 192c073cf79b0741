import { capabilityTests } from './capabilityTests.ts';
import { commitTests } from './commitTests.ts';
import { endingTests } from './endingTests.ts';
import { sharingTests } from './sharingTests.ts';
import type { MembershipSuite } from './suite.ts';

export type { MemberProcess, MembershipEnvironment, MembershipSuite } from './suite.ts';

/**
 * What every membership must do, as tests, for each protocol of a driver. Call it where tests are registered; tests are
 * independent of each other and may run at the same time.
 */
export function membershipConformance(suite: MembershipSuite): void {
  sharingTests(suite);
  endingTests(suite);
  commitTests(suite);
  capabilityTests(suite);
}
