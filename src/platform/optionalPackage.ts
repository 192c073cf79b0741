import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Loads a CommonJS package that need not be installed: as found from here, or, where it is not found and the environment
 * variable is set, out of that folder, which has a `node_modules` of its own. The variable must be set on purpose: no place
 * is searched that someone else could have written to. Throws what the loader throws.
 */
export function requireOptionalPackage(name: string, folderVariable: string): unknown {
  const here = createRequire(import.meta.url);
  const folder = process.env[folderVariable];
  const isElsewhere = folder !== undefined && folder !== '' && !isFound(here, name);
  return (isElsewhere ? createRequire(join(folder, 'package.json')) : here)(name);
}

function isFound(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
