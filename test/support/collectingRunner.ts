import assert from 'node:assert/strict';
import type { SuiteRunner } from '../../src/testkit/index.ts';

/** A test that does not end by then waits for something that a wrong implementation never does. */
const limitMs = 3_000;

/** Runs the tests of a conformance suite whose names match, and gives the names of those that failed: what it says of an implementation. */
export async function failuresOf(about: RegExp, register: (runner: SuiteRunner) => void): Promise<readonly string[]> {
  const tests: { readonly name: string; readonly run: () => Promise<void> }[] = [];
  register({
    assert,
    test: (name, run) => {
      if (about.test(name)) tests.push({ name, run });
    },
  });
  assert.ok(tests.length > 0);
  const failed = await Promise.all(
    tests.map(async ({ name, run }) => {
      const end = new AbortController();
      const late = new Promise<'late'>((resolve) => {
        const timer = setTimeout(resolve, limitMs, 'late');
        end.signal.addEventListener('abort', () => clearTimeout(timer));
      });
      const outcome = await Promise.race([
        run().then(
          () => 'passed',
          () => 'failed',
        ),
        late,
      ]);
      end.abort();
      return outcome === 'passed' ? [] : [name];
    }),
  );
  return failed.flat();
}
