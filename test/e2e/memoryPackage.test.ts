import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('./fixtures/thirdPartySuites.mjs', import.meta.url));

test('the built package gives the suites to another test runner', async () => {
  const child = spawn(process.execPath, ['--test-reporter=tap', fixture], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exitCode = await new Promise((resolve) => child.once('close', resolve));
  expect(exitCode, output).toBe(0);
  expect(Number(/# pass (\d+)/.exec(output)?.[1]), output).toBeGreaterThan(40);
});
