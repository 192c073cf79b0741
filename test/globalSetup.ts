/** Before the first test: what is missing is named. Then services start when a test first asks, and end with the run. */

import { hostTestServices } from './services/host.ts';
import { checkPrerequisites, stopServices } from './services/index.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const { ok, lines } = await checkPrerequisites();
  if (!ok) console.error(['Tests that need the following will fail:', ...lines].join('\n'));
  const host = await hostTestServices();
  return async () => {
    await host.close();
    await stopServices();
  };
}
