import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A text file of the repository, path from its root. */
export interface RepoFile {
  readonly path: string;
  readonly text: string;
}

/** Something a check found. */
export interface Finding {
  readonly path: string;
  readonly what: string;
}

export const repoRoot = fileURLToPath(new URL('../../..', import.meta.url));

const leftOut = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);
const textual = /\.(ts|mts|mjs|js|json|md|ya?ml|sh|xml|java|sql|css|html|txt)$|^\.[a-z]+$|\/\.?[a-z]+$/i;

/** Every text file that belongs to the repository. */
export function repoFiles(folder = ''): readonly RepoFile[] {
  return readdirSync(join(repoRoot, folder), { withFileTypes: true }).flatMap((entry): readonly RepoFile[] => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return leftOut.has(entry.name) ? [] : repoFiles(path);
    if (!entry.isFile() || !textual.test(path)) return [];
    return [{ path, text: readFileSync(join(repoRoot, path), 'utf8') }];
  });
}

export const under = (folder: string) => (file: RepoFile) => file.path.startsWith(`${folder}/`);
