import { readFileSync } from 'node:fs';
import { beforeEach, type TestContext } from 'vitest';
import { confluentFolder, isBuilt, packageName } from '../../scripts/confluent/place.ts';
import { folderVariable } from '../../src/kafka/drivers/confluent/library.ts';
import { skipWithout } from '../services/index.ts';

const { peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
};

/** The folder that `npm run confluent` has built the package in; undefined where it has not. */
export function builtConfluentFolder(): string | undefined {
  const folder = process.env[folderVariable] ?? confluentFolder(peerDependencies[packageName] ?? '');
  return isBuilt(folder) ? folder : undefined;
}

/**
 * For a file all of whose tests need the confluent driver: lets this process and those it starts find the package, and skips
 * the tests where there is none.
 */
export function needsConfluent(): void {
  const folder = builtConfluentFolder();
  if (folder !== undefined) process.env[folderVariable] = folder;
  beforeEach((context: TestContext) => {
    if (folder === undefined) skipWithout(context, 'confluent', `${packageName} is not built: npm run confluent`);
  });
}
