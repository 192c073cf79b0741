import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Blocks of TypeScript on a page. */
async function blocksOf(page: string): Promise<readonly string[]> {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, block = '']) => block);
}

const isTest = (block: string) => block.includes("from 'node:test'");

/** Runs a file as `node` does, the package being what lies in `src`; gives what it printed. */
async function run(files: Readonly<Record<string, string>>, main: string) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-example-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const alias = { 'tidemark/testing': join(root, 'src/testkit/index.ts'), tidemark: join(root, 'src/index.ts') };
  const environment = { ...process.env, JITI_ALIAS: JSON.stringify(alias) };
  const child = spawn(process.execPath, ['--import', 'jiti/register', join(folder, main)], {
    cwd: root,
    env: environment,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exitCode = await new Promise((resolve) => child.once('close', resolve));
  return { exitCode, output };
}

describe('examples of the documentation', () => {
  test('README: a transform and its test', { timeout: 120_000 }, async () => {
    const blocks = await blocksOf('README.md');
    const transform = blocks.find((block) => block.startsWith('// transform.ts')) ?? '';
    const example = blocks.find(isTest) ?? '';
    expect(example).toContain('./transform.ts');
    const { exitCode, output } = await run({ 'transform.ts': transform, 'example.ts': example }, 'example.ts');
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/pass 1\b/);
  });

  test('docs/testing.md: every example', { timeout: 240_000 }, async () => {
    const examples = (await blocksOf('docs/testing.md')).filter(isTest);
    expect(examples).toHaveLength(5);
    const files = Object.fromEntries(examples.map((example, index) => [`example${index}.ts`, example]));
    const main = Object.keys(files).map((name) => `import './${name}';`);
    const { exitCode, output } = await run({ ...files, 'all.ts': main.join('\n') }, 'all.ts');
    expect(exitCode, output).toBe(0);
    expect(Number(/pass (\d+)/.exec(output)?.[1])).toBeGreaterThan(40);
  });

  test('an example that is wrong is noticed', { timeout: 120_000 }, async () => {
    const example = "import { test } from 'node:test';\ntest('x', () => { throw new Error('wrong'); });\n";
    expect((await run({ 'example.ts': example }, 'example.ts')).exitCode).toBe(1);
  });
});
