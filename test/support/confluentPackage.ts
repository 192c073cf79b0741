import { beforeEach, type TestContext } from 'vitest';
import { packageName } from '../../scripts/confluent/place.ts';
import { skipWithout } from '../services/index.ts';
import { provideConfluent } from './confluentFolder.ts';

/**
 * For a file all of whose tests need the confluent driver: lets this process and those it starts find the package, and skips
 * the tests where there is none.
 */
export function needsConfluent(): void {
  const isThere = provideConfluent();
  beforeEach((context: TestContext) => {
    if (!isThere) skipWithout(context, 'confluent', `${packageName} is not built: npm run confluent`);
  });
}
