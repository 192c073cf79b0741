import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { engineFindings, type LockFile, resolvedFindings, satisfies } from './checks/lockFile.ts';

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;
const lock = read('package-lock.json') as LockFile;
const { engines, dependencies, devDependencies, version } = read('package.json') as {
  readonly engines: { readonly node: string };
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const oldestNode = `${engines.node.replace('>=', '')}.0`;

describe('the packages we bring', () => {
  test('the lock names no place to download from', () => {
    expect(resolvedFindings(lock)).toEqual([]);
  });

  test('none asks for a newer Node than we promise', () => {
    expect(oldestNode).toMatch(/^\d+\.\d+\.0$/);
    expect(engineFindings(lock, oldestNode)).toEqual([]);
  });

  test('every direct dependency is pinned', () => {
    for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(range, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });

  test('the lock is of this version', () => {
    expect((read('package-lock.json') as { version: string }).version).toBe(version);
  });
});

describe('the checks of packages notice', () => {
  const packages = {
    'node_modules/good': { engines: { node: '>=18' } },
    'node_modules/new': { engines: { node: '>=22.12.0' } },
    'node_modules/new-for-development': { dev: true, engines: { node: '>=22' } },
    'node_modules/old-style': { engines: ['node >= 0.8'] },
    'node_modules/placed': { resolved: 'https://example.com/x.tgz' },
    'node_modules/linked': { resolved: 'packages/x' },
  };

  test('a package that wants a newer Node, unless it is ours alone', () => {
    expect(engineFindings({ packages }, '20.19.0')).toEqual([
      { path: 'node_modules/new', what: 'wants Node >=22.12.0, we promise 20.19.0' },
    ]);
  });

  test('a place to download from', () => {
    expect(resolvedFindings({ packages }).map(({ path }) => path)).toEqual(['node_modules/placed']);
  });

  test.each([
    ['20.19.0', '>=20.19', true],
    ['20.18.3', '>=20.19', false],
    ['20.19.0', '>= 14', true],
    ['20.19.0', '>20', false],
    ['21.0.0', '>20', true],
    ['20.19.0', '^18.0.0 || ^20.0.0 || >=22', true],
    ['20.19.0', '^18.0.0 || >=22', false],
    ['20.19.0', '^20.20.0', false],
    ['20.19.0', '~20.19.0', true],
    ['20.19.0', '~20.18.0', false],
    ['20.19.0', '~20', true],
    ['20.19.0', '>=18 <20', false],
    ['20.19.0', '>=18.0.0 <21', true],
    ['20.19.0', '18 - 22', true],
    ['20.19.0', '18 - 19', false],
    ['20.19.0', '<=20', true],
    ['21.0.0', '<=20', false],
    ['20.19.0', '20', true],
    ['20.19.0', '20.x', true],
    ['20.19.0', '18.x', false],
    ['20.19.0', '*', true],
    ['20.19.0', '20.19.0', true],
    ['20.19.1', '20.19.0', false],
    ['0.5.2', '^0.5.0', true],
    ['0.6.0', '^0.5.0', false],
  ])('%s in %j: %s', (candidate, range, expected) => {
    expect(satisfies(candidate, range)).toBe(expected);
  });
});
