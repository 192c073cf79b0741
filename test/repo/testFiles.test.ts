import { describe, expect, test } from 'vitest';
import config from '../../vitest.config.ts';
import { repoFiles, under } from './checks/project.ts';
import { matches, unmatchedTestFindings, unusedTestFileFindings } from './checks/testFiles.ts';

const files = repoFiles();
const include = config.test?.include ?? [];

/** The runner loads these itself, or a test runs a whole folder of them. */
const isRoot = (path: string) =>
  include.some((glob) => matches(path, glob)) ||
  ['test/globalSetup.ts', 'test/reporter.ts'].includes(path) ||
  path.startsWith('test/repo/fixtures/reporter/');

describe('the files of the tests', () => {
  test('every test is one the runner finds', () => {
    expect(include).not.toEqual([]);
    expect(unmatchedTestFindings(files, include)).toEqual([]);
  });

  test('every other file is used by a test', () => {
    expect(unusedTestFileFindings(files.filter(under('test')), isRoot)).toEqual([]);
  });
});

describe('the checks of test files notice', () => {
  test.each(['src/x.test.ts', 'test/x.spec.ts', 'test/x_test.ts', 'test/x.test.js', 'bench/deep/y.test.mjs'])(
    '%s',
    (path) => {
      expect(unmatchedTestFindings([{ path, text: '' }], ['test/**/*.test.ts'])).toHaveLength(1);
    },
  );

  test.each(['test/x.test.ts', 'test/a/b/x.test.ts', 'src/contest.ts', 'src/latest.ts'])('nothing at %s', (path) => {
    expect(unmatchedTestFindings([{ path, text: '' }], ['test/**/*.test.ts'])).toEqual([]);
  });

  test('a helper nobody uses', () => {
    const found = unusedTestFileFindings(
      [
        { path: 'test/a.test.ts', text: "import { b } from './b.ts';\n" },
        { path: 'test/b.ts', text: "const program = new URL('./c.mjs', import.meta.url);\n" },
        { path: 'test/c.mjs', text: '' },
        { path: 'test/d.ts', text: '' },
      ],
      (path) => path.endsWith('.test.ts'),
    );
    expect(found).toEqual([{ path: 'test/d.ts', what: 'no test uses it' }]);
  });
});
