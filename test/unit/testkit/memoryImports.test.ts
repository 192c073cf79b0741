import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { repoFiles } from '../../repo/checks/project.ts';

test('the test kit needs nothing that an installation does not bring', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const files = repoFiles('src').filter(({ path }) => path.startsWith('src/testkit/'));
  const packages = files.flatMap(({ text }) =>
    [...text.matchAll(/from '([^.'][^']*)'/g)].map(([, name = '']) => name).filter((name) => !name.startsWith('node:')),
  );
  expect(packages).not.toEqual([]);
  for (const name of packages) expect(Object.keys(dependencies)).toContain(name);
});
