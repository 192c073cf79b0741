import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPipelineFile } from '../../../src/config/index.ts';
import { folderWith, goodYaml } from './files.ts';

const environment = { DATABASE_URL: 'postgres://h/db' };

async function load(name: string, content: string, more: Record<string, string> = {}) {
  const folder = await folderWith({ 'orders.yaml': `${goodYaml}transform: ./${name}\n`, [name]: content, ...more });
  return { folder, loading: loadPipelineFile(join(folder, 'orders.yaml'), environment) };
}

describe('a transform', () => {
  test.each([
    ['t.ts', 'enum Kind { A = "a" }\nexport default (r: { n: number }) => ({ n: r.n, kind: Kind.A });'],
    [
      't.mts',
      'const one: number = await Promise.resolve(1);\nexport default (r: { n: number }) => ({ n: r.n, kind: "a" });',
    ],
    ['t.js', 'export default (r) => ({ n: r.n, kind: "a" });'],
    ['t.mjs', 'export default function (r) { return { n: r.n, kind: "a" }; }'],
    ['t.cjs', 'module.exports = (r) => ({ n: r.n, kind: "a" });'],
  ])('is the default export of %s', async (name, content) => {
    const { options } = await (await load(name, content)).loading;
    expect((options.transform as unknown as (r: { n: number }) => unknown)({ n: 5 })).toEqual({ n: 5, kind: 'a' });
  });

  test.each([
    ['t.ts', 'export const batch = (records: unknown[]) => records.map(() => ({}));'],
    ['t.cjs', 'module.exports = { batch: (records) => records.map(() => ({})) };'],
  ])('for ranges is exported as batch by %s', async (name, content) => {
    const { options } = await (await load(name, content)).loading;
    expect((options.transform as unknown as { batch: (r: unknown[]) => unknown }).batch([1, 2])).toEqual([{}, {}]);
  });

  test('may import files beside it', async () => {
    const { loading } = await load('t.ts', "import { two } from './two.ts';\nexport default () => ({ two });", {
      'two.ts': 'export const two: number = 2;',
    });
    expect(((await loading).options.transform as unknown as () => unknown)()).toEqual({ two: 2 });
  });

  test.each([
    ['does not parse', 'export default (r) => {\n  return { a: ;\n}', /ParseError: Unexpected token at .*t\.ts:2:14$/],
    ['throws', '\nthrow new Error("no licence");', /no licence at .*t\.ts:2$/],
    [
      'imports what is not there',
      'import "no-such-package";\nexport default () => 1;',
      /Cannot find module 'no-such-package'/,
    ],
    [
      'exports no function',
      'export const rows = 1;',
      /no default function and no function named batch \(found: rows\)$/,
    ],
    ['exports nothing', 'const rows = 1;', /\(found: nothing\)$/],
    ['exports a class', 'export default class Rows {}', /its default export is a class; export a function$/],
    [
      'exports both',
      'export default () => 1;\nexport const batch = () => [];',
      /a default function and a function named batch; keep one/,
    ],
  ])('that %s is refused with its place', async (_, content, message) => {
    const { loading, folder } = await load('t.ts', content);
    await expect(loading).rejects.toMatchObject({
      code: 'TRANSFORM_UNLOADABLE',
      message: expect.stringMatching(message),
      path: join(folder, 't.ts'),
    });
    await expect(loading).rejects.toThrow('orders.yaml:11:12 transform: The transform ./t.ts cannot be loaded: ');
  });

  test('that is not there is refused', async () => {
    const folder = await folderWith({ 'orders.yaml': `${goodYaml}transform: ./no.ts\n` });
    await expect(loadPipelineFile(join(folder, 'orders.yaml'), environment)).rejects.toThrow(
      'The transform ./no.ts cannot be loaded: there is no such file',
    );
  });
});
