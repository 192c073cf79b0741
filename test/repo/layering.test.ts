import { describe, expect, test } from 'vitest';
import { importsOf } from './checks/imports.ts';
import { cycleFindings, deadFileFindings, layeringFindings, mayImport } from './checks/layering.ts';
import { type RepoFile, repoFiles, under } from './checks/project.ts';

const files = repoFiles().filter(({ path }) => under('src')({ path, text: '' }) && path.endsWith('.ts'));

/** What package.json leads to: exports, and the command. */
const doors = [
  'src/index.ts',
  'src/sinks/postgres/index.ts',
  'src/operations/index.ts',
  'src/testkit/index.ts',
  'src/cli/main.ts',
];

describe('the layers of src', () => {
  test('imports go down the table, across folders through index.ts, implementations only when chosen', () => {
    expect(layeringFindings(files)).toEqual([]);
  });

  test('no file is in a cycle', () => {
    expect(cycleFindings(files)).toEqual([]);
  });

  test('every file is reached from a door of the package', () => {
    const packageJson = JSON.parse(repoFiles().find(({ path }) => path === 'package.json')?.text ?? '{}') as {
      bin: Record<string, string>;
      exports: Record<string, { default?: string } | string>;
    };
    const built = [
      ...Object.values(packageJson.bin),
      ...Object.values(packageJson.exports).flatMap((door) => (typeof door === 'string' ? [] : [door.default ?? ''])),
    ];
    expect(built.map((path) => path.replace(/^(\.\/)?dist\//, 'src/').replace(/\.js$/, '.ts')).sort()).toEqual(
      [...doors].sort(),
    );
    expect(deadFileFindings(files, doors)).toEqual([]);
  });

  test('the command line loads a command when it runs it: help and mistakes do not wait for clients of brokers', () => {
    const loaded = new Set<string>();
    const visit = (path: string) => {
      if (loaded.has(path)) return;
      loaded.add(path);
      const file = files.find((one) => one.path === path);
      for (const { target, isDynamic, isTypeOnly } of file === undefined ? [] : importsOf(file)) {
        if (target !== undefined && !isDynamic && !isTypeOnly) visit(target);
      }
    };
    visit('src/cli/main.ts');
    const folders = new Set([...loaded].map((path) => path.split('/')[1] ?? ''));
    expect([...folders].sort()).toEqual(['cli', 'errors.ts', 'platform']);
  });

  test('the table itself only leads down', () => {
    const done = new Set<string>();
    for (const [folder, below] of Object.entries(mayImport)) {
      for (const name of below) expect(done, `${folder} → ${name}`).toContain(name);
      done.add(folder);
    }
    const folders = new Set(files.map(({ path }) => path.split('/')[1]));
    expect([...folders].sort()).toEqual(Object.keys(mayImport).sort());
  });
});

describe('the check of layers notices', () => {
  const good: readonly RepoFile[] = [
    { path: 'src/errors.ts', text: '' },
    { path: 'src/model/index.ts', text: "export { a } from './a.ts';\n" },
    { path: 'src/model/a.ts', text: "import { e } from '../errors.ts';\nimport { z } from 'zod';\n" },
    { path: 'src/offsets/index.ts', text: '' },
    { path: 'src/offsets/stores/postgres/index.ts', text: '' },
    { path: 'src/sinks/index.ts', text: "export type { O } from '../offsets/index.ts';\n" },
    { path: 'src/sinks/postgres/index.ts', text: "import { x } from '../../offsets/stores/postgres/index.ts';\n" },
    { path: 'src/pipeline/index.ts', text: "const { s } = await import('../sinks/postgres/index.ts');\n" },
  ];
  const withFile = (path: string, text: string) => [...good, { path, text }];

  test('nothing in good files', () => {
    expect(layeringFindings(good)).toEqual([]);
  });

  test.each<[what: string, path: string, text: string, finding: string]>([
    [
      'an import upwards',
      'src/model/b.ts',
      "import { x } from '../offsets/index.ts';\n",
      'model may not import offsets',
    ],
    [
      'an import of a type upwards',
      'src/offsets/b.ts',
      "import type { x } from '../sinks/index.ts';\n",
      'offsets may not import sinks',
    ],
    [
      'an import spread over lines',
      'src/model/b.ts',
      "import {\n  x,\n  y,\n} from '../offsets/index.ts';\n",
      'model may not import offsets',
    ],
    [
      'a re-export upwards',
      'src/model/b.ts',
      "export { x } from '../offsets/index.ts';\n",
      'model may not import offsets',
    ],
    ['an import for its effect', 'src/model/b.ts', "import '../offsets/index.ts';\n", 'model may not import offsets'],
    [
      'a dynamic import upwards',
      'src/model/b.ts',
      "  await import('../offsets/index.ts');\n",
      'model may not import offsets',
    ],
    [
      'a file of another folder',
      'src/sinks/b.ts',
      "import { a } from '../model/a.ts';\n",
      'import the index.ts of the folder',
    ],
    [
      'an implementation that is always loaded',
      'src/pipeline/b.ts',
      "import { s } from '../sinks/postgres/index.ts';\n",
      'loaded by import()',
    ],
    [
      'a folder that is not in the table',
      'src/utils/b.ts',
      "import { a } from '../model/index.ts';\n",
      'utils is not in the table',
    ],
    ['a file that is not there', 'src/model/b.ts', "import { a } from './gone.ts';\n", 'there is no such file'],
    [
      'a worker of another folder',
      'src/model/b.ts',
      "new Worker(new URL('../offsets/index.js', import.meta.url));\n",
      'model may not import offsets',
    ],
  ])('%s', (_, path, text, finding) => {
    expect(layeringFindings(withFile(path, text))).toEqual([{ path, what: expect.stringContaining(finding) }]);
  });

  test('imports in comments and texts are none', () => {
    const text = "/**\n * import { x } from '../offsets/index.ts';\n */\nconst text = 'import {x}';\n";
    expect(importsOf({ path: 'src/model/b.ts', text })).toEqual([]);
  });

  test('a cycle, also one of types, and not one that is only dynamic', () => {
    const cycle = (second: string) => [
      { path: 'src/model/a.ts', text: "import { b } from './b.ts';\n" },
      { path: 'src/model/b.ts', text: second },
    ];
    const found = [{ path: 'src/model/a.ts', what: 'is in a cycle: src/model/a.ts → src/model/b.ts → src/model/a.ts' }];
    expect(cycleFindings(cycle("import { a } from './a.ts';\n"))).toEqual(found);
    expect(cycleFindings(cycle("import type { a } from './a.ts';\n"))).toEqual(found);
    expect(cycleFindings(cycle("await import('./a.ts');\n"))).toEqual([]);
  });

  test('a file nobody imports', () => {
    const more = withFile('src/model/forgotten.ts', 'export const x = 1;\n');
    expect(
      deadFileFindings(
        more,
        good.map(({ path }) => path),
      ),
    ).toEqual([{ path: 'src/model/forgotten.ts', what: 'no door of the package leads to it' }]);
  });
});
