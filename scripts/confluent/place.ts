import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const packageName = '@confluentinc/kafka-javascript';

/** One place for each version and each kind of Node: a native part fits no other. */
export function confluentFolder(version: string, environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  const { platform, arch, versions } = process;
  return join(cache, 'tidemark', `confluent-${version}-abi${versions.modules}-${platform}-${arch}`);
}

/** Whether a folder holds the package with its native part. */
export function isBuilt(folder: string): boolean {
  const binary = join(packageFolder(folder), 'build', 'Release', 'confluent-kafka-javascript.node');
  return existsSync(binary);
}

export function packageFolder(folder: string): string {
  return join(folder, 'node_modules', ...packageName.split('/'));
}
