import { commitTests } from './commitTests.ts';
import { failureTests } from './failureTests.ts';
import { rowTests } from './rowTests.ts';
import type { SinkSuite } from './suite.ts';

export type { SinkEnvironment, SinkSuite, SinkTarget, StoredRow } from './suite.ts';

/**
 * What every transactional Sink must do, as tests: every implementation runs all of it against the real thing.
 * Call it where tests are registered; tests are independent of each other.
 */
export function sinkConformance(suite: SinkSuite): void {
  commitTests(suite);
  rowTests(suite);
  failureTests(suite);
}
