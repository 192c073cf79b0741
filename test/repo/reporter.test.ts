import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { groupOf, summaryLines } from '../reporter.ts';

const root = fileURLToPath(new URL('./fixtures/reporter', import.meta.url));
const reporter = fileURLToPath(new URL('../reporter.ts', import.meta.url));
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

/** Runs vitest on fixtures by name, as npm test does, and gives the lines of its output and its exit code. */
function run(...names: string[]): Promise<{ lines: string[]; exitCode: number }> {
  const reporters = ['--reporter', 'default', '--reporter', reporter];
  const args = [vitest, 'run', '--root', root, '--config', join(root, 'vitest.config.ts'), ...reporters, ...names];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root }, (error, stdout) => {
      resolve({ lines: stdout.trimEnd().split('\n'), exitCode: error === null ? 0 : Number(error.code) });
    });
  });
}

describe('the end of a test run', () => {
  test('is the closing line, after time per group and reasons for skips', async () => {
    const { lines, exitCode } = await run('mixed', 'passing', 'hook');
    expect(lines.at(-1)).toBe('3 passed, 2 failed, 2 skipped');
    expect(exitCode).toBe(1);
    expect(lines.slice(-3, -1).sort()).toEqual([
      'FAILED test/e2e/hook.fixture.ts: the clean-up failed',
      expect.stringMatching(/^FAILED test\/unit\/mixed\.fixture\.ts > fails: expected 1 to be 2/),
    ]);
    expect(lines).toContain('  test/unit/mixed.fixture.ts > skips itself: no such service');
    expect(lines).toContain('  test/unit/mixed.fixture.ts > is skipped without a word: no reason given');
    expect(lines.filter((line) => /^ {2}(unit|e2e ) {2}\d+\.\d s {2}\d tests$/.test(line))).toHaveLength(2);
  });

  test.each([
    ['passing', '1 passed, 0 failed', 0],
    ['unloadable', '0 passed, 1 failed', 1],
    ['uncaught', '1 passed, 1 failed', 1],
    ['nothing-of-this-name', '0 passed, 1 failed', 1],
  ])('says what happened in %s: %s', async (name, closing, code) => {
    const { lines, exitCode } = await run(name);
    expect(lines.at(-1)).toBe(closing);
    expect(exitCode).toBe(code);
    expect(lines.at(-2)?.startsWith('FAILED ')).toBe(code === 1 && name !== 'nothing-of-this-name');
  });

  test('names groups by the folder under test', () => {
    expect(groupOf(join('test', 'unit', 'model', 'x.test.ts'))).toBe('unit');
    expect(groupOf(join('test', 'x.test.ts'))).toBe('other');
    expect(groupOf(join('bench', 'unit', 'x.test.ts'))).toBe('other');
  });

  test('mentions skips only when there are any', () => {
    const groups = [{ name: 'unit', tests: 2, ms: 1_234 }];
    const lines = summaryLines({ passed: 2, failed: 0, failures: [], skipped: [], groups });
    expect(lines.slice(1)).toEqual(['  unit  1.2 s  2 tests', '2 passed, 0 failed']);
  });
});
