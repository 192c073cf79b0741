import { claimTests } from './claimTests.ts';
import { commitTests } from './commitTests.ts';
import { controlTests } from './controlTests.ts';
import { historyTests } from './historyTests.ts';
import { moveTests } from './moveTests.ts';
import { operatorHistoryTests } from './operatorHistoryTests.ts';
import { rowTests } from './rowTests.ts';
import type { StoreSuite } from './suite.ts';
import { topicIdTests } from './topicIdTests.ts';

export type { LedgerPlace, StoreEnvironment, StoreSuite } from './suite.ts';

/**
 * What every OffsetStore must do, as tests; sections beyond the capabilities of a store are left out. Call it where
 * tests are registered; tests are independent of each other.
 */
export function storeConformance(suite: StoreSuite): void {
  const { capabilities } = suite.environment;
  rowTests(suite);
  claimTests(suite);
  topicIdTests(suite);
  commitTests(suite);
  moveTests(suite);
  if (capabilities.history) {
    historyTests(suite);
    operatorHistoryTests(suite);
  }
  if (capabilities.controls) controlTests(suite);
}
