import { describe, expect, test } from 'vitest';
import { repoFiles, under } from './checks/project.ts';
import {
  bannedCallFindings,
  leftoverFindings,
  longFileFindings,
  registryFindings,
  withoutComments,
} from './checks/texts.ts';

const files = repoFiles();
const programs = files.filter(({ path }) => /^(src|bench|demo)\/.*\.(ts|mjs)$/.test(path));
const own = (path: string) => path.startsWith('test/repo/');

describe('the texts of the repository', () => {
  test('calls of the outside world are made outside', () => {
    expect(bannedCallFindings(files.filter(under('src')))).toEqual([]);
  });

  test('nothing is left over', () => {
    expect(leftoverFindings(files.filter(({ path }) => !own(path)))).toEqual([]);
  });

  test('no program file is longer than 300 lines', () => {
    // Tests may be: their tables are data.
    expect(longFileFindings(programs, 300)).toEqual([]);
  });

  test('no registry is named', () => {
    expect(registryFindings(files.filter(({ path }) => !own(path)))).toEqual([]);
  });
});

describe('the checks of texts notice', () => {
  test.each([
    'const now = Date.now();',
    'const now = new Date();',
    'const now = performance.now();',
    'setTimeout(() => {}, 5);',
    'const timer = setInterval(tick, 5);',
    'await new Promise((resolve) => setImmediate(resolve));',
    'return Math.random();',
    "import { readFile } from 'node:fs/promises';",
    "import fs from 'fs';",
    "if (process.env.DEBUG === '1') return;",
    "export * from './x.ts';",
  ])('%s', (line) => {
    expect(bannedCallFindings([{ path: 'src/direct/x.ts', text: `// fine\n${line}\n` }])).toEqual([
      { path: 'src/direct/x.ts', what: expect.stringMatching(/^line 2: .*\(use /) },
    ]);
  });

  test('comments, names that only look alike, and the outside may', () => {
    const text =
      '/* Date.now() */\n// setTimeout\nconst x = new Date(5);\nidentity.process.pid;\nconst processes = 1;\n';
    expect(bannedCallFindings([{ path: 'src/direct/x.ts', text }])).toEqual([]);
    expect(bannedCallFindings([{ path: 'src/platform/x.ts', text: 'Date.now();\n' }])).toEqual([]);
    expect(bannedCallFindings([{ path: 'src/platform/x.ts', text: "export * from './x.ts';\n" }])).toHaveLength(1);
  });

  test('comments are blanked and lines stay where they are', () => {
    expect(withoutComments("a /* b\nc */ d; // e\n'http://f';")).toBe("a     \n     d; \n'http://f';");
  });

  test.each(['TO' + 'DO', 'FIX' + 'ME'])('%s', (word) => {
    expect(leftoverFindings([{ path: 'docs/x.md', text: `fine\n// ${word}: later\n` }])).toEqual([
      { path: 'docs/x.md', what: `line 2: ${word}` },
    ]);
    expect(leftoverFindings([{ path: 'docs/x.md', text: `${word}S and mas${word}` }])).toEqual([]);
  });

  test('a file of 301 lines', () => {
    expect(longFileFindings([{ path: 'x.ts', text: 'x\n'.repeat(300) }], 300)).toEqual([]);
    expect(longFileFindings([{ path: 'x.ts', text: 'x\n'.repeat(301) }], 300)).toHaveLength(1);
  });

  test.each([
    'https://registry.npm' + 'js.org/zod',
    'npm.some' + 'company.com',
    'http://artifactory.in' + 'ner.local/x',
  ])('%s', (host) => {
    expect(registryFindings([{ path: '.npmrc', text: `a\nregistry=${host}\n` }])).toHaveLength(1);
  });
});
