import { importsOf } from './imports.ts';
import type { Finding, RepoFile } from './project.ts';

/** Tests that would never run: the runner looks at `include` only. */
export function unmatchedTestFindings(files: readonly RepoFile[], include: readonly string[]): readonly Finding[] {
  return files
    .filter(({ path }) => /[._-](test|spec)\.[mc]?[jt]sx?$/i.test(path))
    .filter(({ path }) => !include.some((glob) => matches(path, glob)))
    .map(({ path }) => ({
      path,
      what: `is a test that no pattern of vitest.config.ts matches (${include.join(', ')})`,
    }));
}

/** `**` and `*` are all we use. */
export function matches(path: string, glob: string): boolean {
  const pattern = glob
    .replace(/[.+^$()|[\]{}\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, (star) => (star === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${pattern}$`).test(path);
}

/** Files beside the tests that nothing uses: neither imported nor named by a file that is. */
export function unusedTestFileFindings(
  files: readonly RepoFile[],
  isRoot: (path: string) => boolean,
): readonly Finding[] {
  const used = new Set<string>();
  const visit = (file: RepoFile): void => {
    if (used.has(file.path)) return;
    used.add(file.path);
    for (const { target } of importsOf(file)) {
      const found = files.find(({ path }) => path === target);
      if (found !== undefined) visit(found);
    }
    // Programs and data are named by text: './worker.mjs', 'pom.xml', (RecordBatches.java).
    for (const other of files) {
      const name = other.path.split('/').at(-1) ?? '';
      if (!used.has(other.path) && new RegExp(`[\\s'"\`/(]${name.replaceAll('.', '\\.')}[\\s'"\`),:]`).test(file.text))
        visit(other);
    }
  };
  for (const file of files) if (isRoot(file.path)) visit(file);
  return files.filter(({ path }) => !used.has(path)).map(({ path }) => ({ path, what: 'no test uses it' }));
}
