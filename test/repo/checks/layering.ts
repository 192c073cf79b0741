import { type Import, importsOf } from './imports.ts';
import type { Finding, RepoFile } from './project.ts';

/** What a folder of src may import beside itself. The rule behind: imports go down the table in ARCHITECTURE.md. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  model: ['errors.ts'],
  platform: ['errors.ts', 'model'],
  telemetry: ['errors.ts', 'model'],
  wal: ['errors.ts', 'platform'],
  kafka: ['errors.ts', 'model', 'platform', 'telemetry'],
  offsets: ['errors.ts', 'model', 'platform', 'telemetry', 'kafka'],
  sinks: ['errors.ts', 'model', 'platform', 'telemetry', 'kafka', 'offsets'],
  scheduler: ['errors.ts', 'model', 'platform', 'telemetry', 'offsets', 'sinks'],
  direct: ['errors.ts', 'model', 'platform', 'telemetry', 'kafka', 'offsets', 'sinks', 'scheduler'],
  receiver: ['errors.ts', 'model', 'platform', 'telemetry', 'wal', 'kafka', 'offsets', 'sinks', 'scheduler'],
  pipeline: [
    'errors.ts',
    'model',
    'platform',
    'telemetry',
    'wal',
    'kafka',
    'offsets',
    'sinks',
    'scheduler',
    'direct',
    'receiver',
  ],
  'index.ts': ['errors.ts', 'model', 'telemetry', 'offsets', 'sinks', 'scheduler', 'direct', 'receiver', 'pipeline'],
  operations: ['errors.ts', 'model', 'platform', 'kafka', 'offsets', 'sinks'],
  config: ['errors.ts', 'model', 'platform', 'pipeline'],
  daemon: ['errors.ts', 'model', 'platform', 'telemetry', 'offsets', 'pipeline', 'config'],
  cli: [
    'errors.ts',
    'model',
    'platform',
    'wal',
    'kafka',
    'offsets',
    'sinks',
    'receiver',
    'pipeline',
    'operations',
    'config',
    'daemon',
  ],
  testkit: [
    'errors.ts',
    'model',
    'platform',
    'telemetry',
    'kafka',
    'offsets',
    'sinks',
    'scheduler',
    'direct',
    'receiver',
    'pipeline',
  ],
};

/** Folders that hold one implementation of a port each: whoever chooses among them loads them when chosen. */
const concrete = /^src\/(kafka\/drivers|offsets\/stores|sinks)\/[^/]+\//;

/** `model` for src/model/x.ts, `errors.ts` for src/errors.ts. */
function componentOf(path: string): string {
  return path.split('/')[1] ?? '';
}

export function layeringFindings(files: readonly RepoFile[]): readonly Finding[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.flatMap((file) =>
    importsOf(file).flatMap((found) => {
      const what = found.target === undefined ? undefined : brokenRule(found, found.target, paths);
      return what === undefined ? [] : [{ path: file.path, what: `imports ${found.specifier}: ${what}` }];
    }),
  );
}

function brokenRule(found: Import, target: string, paths: ReadonlySet<string>): string | undefined {
  if (!paths.has(target)) return 'there is no such file';
  const [from, to] = [componentOf(found.from), componentOf(target)];
  if (from === to) return undefined;
  const allowed = mayImport[from];
  if (allowed === undefined) return `the folder ${from} is not in the table of layers`;
  if (!allowed.includes(to)) return `${from} may not import ${to}`;
  if (to !== 'errors.ts' && !target.endsWith('/index.ts')) return 'across folders import the index.ts of the folder';
  const isChosen =
    found.isDynamic || found.isTypeOnly || concrete.test(found.from) || from === 'testkit' || from === 'index.ts';
  if (concrete.test(target) && !isChosen) return 'a concrete implementation is loaded by import() when it is chosen';
  return undefined;
}

/** Cycles of files, imports of types included; dynamic imports do not count, they run later. Each cycle once. */
export function cycleFindings(files: readonly RepoFile[]): readonly Finding[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      importsOf(file).flatMap(({ target, isDynamic }) => (target === undefined || isDynamic ? [] : [target])),
    ]),
  );
  const done = new Set<string>();
  const findings: Finding[] = [];
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) {
      findings.push({ path, what: `is in a cycle: ${[...way.slice(start), path].join(' → ')}` });
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) walk(target, [...way, path]);
    done.add(path);
  };
  for (const { path } of files) walk(path, []);
  return findings;
}

/** Files of src that no door leads to. */
export function deadFileFindings(files: readonly RepoFile[], doors: readonly string[]): readonly Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { target } of importsOf(file)) if (target !== undefined) visit(target);
  };
  for (const door of doors) visit(door);
  return files
    .filter(({ path }) => !reached.has(path))
    .map(({ path }) => ({ path, what: 'no door of the package leads to it' }));
}
