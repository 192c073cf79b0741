/** Benches of one part each, in bench/micro: scripts of their own that print JSON. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('./micro/', import.meta.url));

export function microNames(): readonly string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
    .sort();
}

export async function runMicro(name: string): Promise<unknown> {
  console.error(`\nbench/micro/${name}.ts`);
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', 'jiti/register', `${folder}${name}.ts`],
    { maxBuffer: 16 * 1_048_576 },
  );
  if (stderr !== '') console.error(stderr.trimEnd());
  console.error(stdout.trimEnd());
  return JSON.parse(stdout) as unknown;
}
