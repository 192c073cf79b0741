import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Loads a package that need not be installed: as any import would find it from here, or, where it is not found and the
 * environment variable is set, out of that folder, which has a `node_modules` of its own. The variable must be set on
 * purpose: no place is searched that someone else could have written to. Throws what the loader throws.
 */
export async function importOptionalPackage(name: string, folderVariable: string): Promise<unknown> {
  try {
    return unwrap(await import(name));
  } catch (error) {
    const folder = process.env[folderVariable];
    if (folder === undefined || folder === '' || !isNotFound(error)) throw error;
    const path = createRequire(join(folder, 'package.json')).resolve(name);
    return unwrap(await import(pathToFileURL(path).href));
  }
}

/** A CommonJS package shows all of its exports only under `default`. */
function unwrap(module: { readonly default?: unknown }): unknown {
  return module.default ?? module;
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
}
