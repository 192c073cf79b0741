import { readFileSync } from 'node:fs';
import { confluentFolder, isBuilt, packageName } from '../../scripts/confluent/place.ts';
import { folderVariable } from '../../src/kafka/drivers/confluent/library.ts';

const { peerDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly peerDependencies: Readonly<Record<string, string>>;
};

/** The folder that `npm run confluent` has built the package in; undefined where it has not. */
export function builtConfluentFolder(): string | undefined {
  const folder = process.env[folderVariable] ?? confluentFolder(peerDependencies[packageName] ?? '');
  return isBuilt(folder) ? folder : undefined;
}

/** Lets this process and those it starts find the package; answers whether there is one. */
export function provideConfluent(): boolean {
  const folder = builtConfluentFolder();
  if (folder !== undefined) process.env[folderVariable] = folder;
  return folder !== undefined;
}
