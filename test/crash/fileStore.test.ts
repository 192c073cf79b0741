import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { FileStore } from '../../src/offsets/stores/file/index.ts';
import { fileFailpointNames } from '../../src/platform/index.ts';
import { guardedDirectory, spawnGuarded, tailOf } from '../services/guard.ts';

const program = fileURLToPath(new URL('./fileStoreWorker.ts', import.meta.url));

/** Runs a worker to its end; answers how it ended and the last position that was answered to it. */
async function run(dir: string, failpoint?: string) {
  const logFile = join(guardedDirectory('file-store-worker'), 'told.log');
  const worker = await spawnGuarded({
    name: 'file-store-worker',
    command: process.execPath,
    args: ['--import', 'jiti/register', program, dir],
    stopSignal: 'KILL',
    logFile,
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: failpoint === undefined ? {} : { TIDEMARK_FAILPOINT: failpoint },
  });
  const end = await worker.ended();
  const told = readFileSync(logFile, 'utf8').split('\n').slice(0, -1);
  return { end, answered: BigInt(told.findLast((line) => /^\d+$/.test(line)) ?? '0'), tail: tailOf(logFile) };
}

async function positionsIn(dir: string): Promise<readonly bigint[]> {
  const store = new FileStore({ dir, pipeline: 'orders' });
  await store.open('look');
  const rows = await store.read();
  await store.close();
  return rows.map(({ nextOffset }) => nextOffset);
}

describe('a process with a file store that is killed', () => {
  // Passes of its own lock, owner, first positions and claims come before those of the commits.
  const cases = fileFailpointNames.flatMap((name) => [1, 3, 6].map((pass) => ({ name, pass })));
  it.concurrent.each(cases)(
    'at $name, pass $pass: the file holds the last answer, or the commit after it',
    async ({ name, pass }) => {
      const dir = join(guardedDirectory('file-store'), 'offsets');
      const killed = await run(dir, `${name}@${pass}:kill`);
      expect(killed.end, killed.tail).toEqual({ signal: 'SIGKILL', code: null });
      const [zero = 0n, one = 0n] = await positionsIn(dir);
      expect([killed.answered, killed.answered + 1n]).toContain(zero);
      expect(one, 'both partitions or none').toBe(zero);
      const next = await run(dir);
      expect(next.end, next.tail).toEqual({ signal: null, code: 0 });
      expect(await positionsIn(dir)).toEqual([zero + 10n, zero + 10n]);
      expect(readdirSync(dir).filter((file) => /\.json\.tmp$|\.json\.lock-[^.]*$/.test(file))).toEqual([]);
    },
  );
});
