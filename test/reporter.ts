/**
 * Closes a test run for people and for CI: the time each group of tests took (a group is a folder under `test/`), why
 * anything was skipped, what failed, and as the last line of all output `N passed, N failed`, with `, N skipped` when
 * there are any.
 *
 * What fails without being a test counts as one failure each: a file that does not load, an error that nobody caught,
 * a run without tests, an interrupted run.
 */
import { relative, sep } from 'node:path';
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

interface Group {
  readonly name: string;
  tests: number;
  ms: number;
}

interface Skip {
  readonly name: string;
  readonly reason: string;
}

export interface RunSummary {
  readonly passed: number;
  readonly failed: number;
  /** Each failed test with the first line of its error, for a log of which only the end was kept. */
  readonly failures: readonly string[];
  readonly skipped: readonly Skip[];
  readonly groups: readonly Group[];
}

export default class ClosingLineReporter implements Reporter {
  #root = process.cwd();

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const summary = summarize(modules, this.#root, unhandledErrors, reason);
    for (const line of summaryLines(summary)) console.log(line);
  }
}

export function summarize(
  modules: readonly TestModule[],
  root: string,
  unhandledErrors: readonly SerializedError[],
  reason: TestRunEndReason,
): RunSummary {
  const groups = new Map<string, Group>();
  const skipped: Skip[] = [];
  let passed = 0;
  const failures = unhandledErrors.map((error) => failure('outside of every test', [error]));
  let failed = unhandledErrors.length + (reason === 'interrupted' ? 1 : 0);
  for (const module of modules) {
    const path = relative(root, module.moduleId);
    const group = groups.get(groupOf(path)) ?? { name: groupOf(path), tests: 0, ms: 0 };
    groups.set(group.name, group);
    const { collectDuration, duration } = module.diagnostic();
    group.ms += collectDuration + duration;
    let failedInModule = 0;
    for (const test of module.children.allTests()) {
      const result = test.result();
      group.tests += 1;
      if (result.state === 'passed') passed += 1;
      else if (result.state === 'failed') {
        failedInModule += 1;
        failures.push(failure(`${path} > ${test.fullName}`, result.errors));
      } else if (result.state === 'skipped') {
        skipped.push({ name: `${path} > ${test.fullName}`, reason: result.note ?? 'no reason given' });
      }
    }
    // The file did not load, or a hook outside all tests failed.
    if (failedInModule === 0 && module.state() === 'failed') {
      failedInModule = 1;
      failures.push(failure(path, module.errors()));
    }
    failed += failedInModule;
  }
  if (passed + failed + skipped.length === 0) failed = 1;
  return { passed, failed, failures, skipped, groups: [...groups.values()].sort((a, b) => b.ms - a.ms) };
}

/** `test/unit/model/x.test.ts` → `unit`. */
export function groupOf(path: string): string {
  const parts = path.split(sep);
  return parts[0] === 'test' && parts.length > 2 ? (parts[1] ?? '') : 'other';
}

function failure(what: string, errors: readonly { readonly message: string }[]): string {
  const [line = ''] = (errors[0]?.message ?? '').split('\n', 1);
  return `FAILED ${what}: ${line}`;
}

export function summaryLines({ passed, failed, failures, skipped, groups }: RunSummary): string[] {
  const width = Math.max(0, ...groups.map(({ name }) => name.length));
  return [
    'Time per group (files of two workers add up):',
    ...groups.map(({ name, tests, ms }) => `  ${name.padEnd(width)}  ${(ms / 1_000).toFixed(1)} s  ${tests} tests`),
    ...(skipped.length === 0 ? [] : ['Skipped:']),
    ...skipped.map(({ name, reason }) => `  ${name}: ${reason}`),
    ...failures,
    `${passed} passed, ${failed} failed${skipped.length === 0 ? '' : `, ${skipped.length} skipped`}`,
  ];
}
