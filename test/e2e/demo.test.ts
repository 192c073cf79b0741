import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { kafkaService, postgresService } from '../services/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('the demo kills its worker three times and finds every order once', { timeout: 120_000 }, async () => {
  const [kafka, postgres] = await Promise.all([kafkaService(), postgresService()]);
  const { code, output } = await runDemo({ KAFKA_BROKERS: kafka.brokers.join(','), DATABASE_URL: postgres.url });
  expect(output).toContain('Every order is there, once.');
  expect(output).toMatch(/records produced +20,000\n/);
  expect(output).toMatch(/rows in the table +19,600\n/);
  expect(output).toMatch(/gaps +0\n/);
  expect(output).toMatch(/duplicates +0\n/);
  expect(output.match(/killed with SIGKILL/g)).toHaveLength(3);
  expect(code).toBe(0);
});

function runDemo(env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const args = ['--import', 'jiti/register', 'demo/run.ts', '--records', '20000'];
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
