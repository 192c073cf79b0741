import { clusterTests } from './clusterTests.ts';
import { groupAdminTests } from './groupAdminTests.ts';
import { readingTests } from './readingTests.ts';
import { streamTests } from './streamTests.ts';
import type { DriverSuite } from './suite.ts';
import { transactionTests } from './transactionTests.ts';

export type { DriverEnvironment, DriverSuite, OpenTransaction, ProducedRecord, SuiteRunner } from './suite.ts';

/**
 * What every KafkaDriver must do, as tests: every implementation runs all of it, against a real cluster or a fake one.
 * Call it where tests are registered; tests are independent of each other.
 */
export function driverConformance(suite: DriverSuite): void {
  clusterTests(suite);
  groupAdminTests(suite);
  readingTests(suite);
  transactionTests(suite);
  streamTests(suite);
}
