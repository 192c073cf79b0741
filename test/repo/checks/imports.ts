import { dirname, join } from 'node:path/posix';
import type { RepoFile } from './project.ts';

/** One import of a file, as written. */
export interface Import {
  readonly from: string;
  /** `./x.ts`, or the name of a package. */
  readonly specifier: string;
  /** Path of the file it leads to; undefined for packages. */
  readonly target: string | undefined;
  readonly isDynamic: boolean;
  readonly isTypeOnly: boolean;
}

const statement = /^(import|export)\s+(type\s+)?(?:[^;'"]*?\bfrom\s+)?'([^']+)'/gm;
const dynamic = /\bimport(?:<[^>]*>)?\(\s*'([^']+)'\s*\)/g;
/** The file of a worker thread, which is named as it will be built. */
const workerFile = /new URL\('(\.[^']+)\.js', import\.meta\.url\)/g;

/** Every import, re-export, dynamic import and worker file of a TypeScript file. */
export function importsOf({ path, text }: RepoFile): readonly Import[] {
  const found: Import[] = [];
  const add = (specifier: string, isDynamic: boolean, isTypeOnly: boolean) => {
    const target = specifier.startsWith('.') ? join(dirname(path), specifier) : undefined;
    found.push({ from: path, specifier, target, isDynamic, isTypeOnly });
  };
  for (const [, , type, specifier = ''] of text.matchAll(statement)) add(specifier, false, type !== undefined);
  for (const [, specifier = ''] of text.matchAll(dynamic)) add(specifier, true, false);
  for (const [, specifier = ''] of text.matchAll(workerFile)) add(`${specifier}.ts`, true, false);
  return found;
}
