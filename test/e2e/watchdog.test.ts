import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { waitUntil } from '../services/index.ts';

const holder = fileURLToPath(new URL('./fixtures/serviceHolder.ts', import.meta.url));

interface Holder {
  readonly child: ChildProcess;
  readonly dir: string;
}

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

async function startHolder(what: 'services' | 'sleeper', ending: string): Promise<Holder> {
  const child = spawn(process.execPath, ['--import', 'jiti/register', holder, what, ending], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  if (child.stdout === null) throw new Error('no pipe');
  const [dir] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, dir };
}

function listedPids(dir: string): number[] {
  const list = join(dir, 'processes');
  return readdirSync(list).map((name) => Number(readFileSync(join(list, name), 'utf8')));
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** Every process of the machine; from /proc where there is one, because a small image has no ps. */
function allProcesses(): ProcessEntry[] {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-axo', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n');
    return lines.map((line) => line.trim().split(/\s+/)).map(entryOf);
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return [entryOf([pid, parent, state])];
    } catch {
      return []; // it ended between the listing and the look
    }
  });
}

function entryOf([pid, parent, state]: (string | undefined)[]): ProcessEntry {
  return { pid: Number(pid), parent: Number(parent), state: state ?? '' };
}

/** Of these, the ones that live; a process that nobody has buried yet does not. */
function living(pids: readonly number[]): number[] {
  const all = allProcesses().filter(({ state }) => !state.startsWith('Z'));
  return all.map(({ pid }) => pid).filter((pid) => pids.includes(pid));
}

/** What the listed processes started themselves. */
function childrenOf(pids: readonly number[]): number[] {
  return allProcesses()
    .filter(({ parent }) => pids.includes(parent))
    .map(({ pid }) => pid);
}

async function gone(dir: string, pids: readonly number[]): Promise<void> {
  await waitUntil('the end of all processes', () => living(pids).length === 0);
  await waitUntil('the end of the directory', () => !existsSync(dir));
}

describe('what a process started ends with it', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('when it dies of %s', async (signal) => {
    const { child, dir } = await startHolder('sleeper', 'signal');
    // Twice the same: a shell has other children for a moment while it starts.
    let seen = '';
    const pids = await waitUntil('a shell and its child', () => {
      const listed = listedPids(dir);
      const all = [...listed, ...childrenOf(listed)];
      const isSteady = all.length === 2 && all.join() === seen;
      seen = all.join();
      return isSteady ? all : undefined;
    });
    expect(living(pids)).toHaveLength(2);
    child.kill(signal);
    await gone(dir, pids);
  });

  test.each([
    ['exit', 3],
    ['throw', 1],
    ['return', 0],
  ] as const)('when it ends by %s', async (ending, code) => {
    const { child, dir } = await startHolder('sleeper', ending);
    await waitUntil('the exit', () => child.exitCode !== null);
    expect(child.exitCode).toBe(code);
    await gone(dir, []);
  });

  test('also a real broker and a real database, when it dies of SIGKILL', async () => {
    const { child, dir } = await startHolder('services', 'signal');
    const listed = listedPids(dir);
    expect(living(listed)).toHaveLength(2);
    // A server answers before it has started all of its helpers.
    const backends = await waitUntil('the helpers of the database', () => {
      const children = childrenOf(listed);
      return children.length > 3 ? children : undefined;
    });
    child.kill('SIGKILL');
    await gone(dir, [...listed, ...backends]);
  });
});
