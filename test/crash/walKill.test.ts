import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { walFailpointNames } from '../../src/platform/index.ts';
import { inspectWal, openWal } from '../../src/wal/index.ts';
import { type GuardedProcess, guardedDirectory, spawnGuarded, tailOf } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';

const program = fileURLToPath(new URL('./walWorker.mjs', import.meta.url));
const killed = { signal: 'SIGKILL', code: null };

interface Told {
  readonly event: string;
  readonly name: string;
  readonly index: string;
  readonly to: string;
  readonly [fact: string]: unknown;
}

interface Worker extends GuardedProcess {
  told(): readonly Told[];
  tail(): string;
}

/** `before` is a command that becomes the worker. */
async function startWorker(
  what: string,
  dir: string,
  env: Readonly<Record<string, string>> = {},
  before: readonly string[] = [],
): Promise<Worker> {
  const logFile = join(guardedDirectory('wal-worker'), 'told.log');
  const [command = '', ...args] = [...before, process.execPath, program, what, dir];
  const child = await spawnGuarded({ name: 'wal-worker', command, args, stopSignal: 'KILL', logFile, env });
  const told = () => {
    // The last line may be half written.
    const lines = readFileSync(logFile, 'utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Told] : []));
  };
  return { ...child, told, tail: () => tailOf(logFile) };
}

/** What all workers of a directory told is kept by the log that a new process finds there. */
async function expectKept(dir: string, told: readonly Told[]): Promise<void> {
  const appended = new Set(told.filter(({ event }) => event === 'appended').map(({ name }) => name));
  const advancing = told.filter(({ event }) => event === 'advancing').map(({ to }) => BigInt(to));
  const highest = advancing.reduce((most, to) => (to > most ? to : most), 0n);
  const log = await openWal({ dir, segmentBytesMax: 20_000, entryBytesMax: 8_000 });
  const found = new Map<bigint, string>();
  for await (const { index, payload } of log.read()) found.set(index, payload.toString().split(' ')[0] ?? '');
  expect(log.lowWatermark).toBeLessThanOrEqual(highest);
  expect([...found.keys()]).toEqual(Array.from({ length: found.size }, (_, at) => log.lowWatermark + BigInt(at)));
  expect(new Set(found.values()).size, 'entries that are there twice').toBe(found.size);
  for (const name of found.values()) expect(appended.has(name), `never appended: ${name}`).toBe(true);
  for (const { event, name, index } of told) {
    if (event === 'acknowledged' && BigInt(index) >= log.lowWatermark) expect(found.get(BigInt(index))).toBe(name);
  }
  await log.close();
}

describe('a process with a log that is killed', () => {
  const cases = walFailpointNames.flatMap((name) => [1, 3].map((pass) => ({ name, pass })));
  it.concurrent.each(cases)('at $name, pass $pass: every acknowledged entry is there, once', async ({ name, pass }) => {
    const dir = join(guardedDirectory('wal'), 'log');
    const told: Told[] = [];
    for (const run of ['first', 'second']) {
      const worker = await startWorker('append', dir, { WAL_RUN: run, TIDEMARK_FAILPOINT: `${name}@${pass}:kill` });
      expect(await worker.ended(), worker.tail()).toEqual(killed);
      told.push(...worker.told());
      await expectKept(dir, told);
    }
    const last = await startWorker('append', dir, { WAL_RUN: 'last' });
    expect(await last.ended(), last.tail()).toEqual({ signal: null, code: 0 });
    told.push(...last.told());
    expect(told.at(-1)?.event).toBe('closed');
    await expectKept(dir, told);
  });

  it('at any time: every acknowledged entry is there, once', async () => {
    const dir = join(guardedDirectory('wal'), 'log');
    const told: Told[] = [];
    for (const [run, after] of [3, 17, 40, 71, 100].entries()) {
      const worker = await startWorker('append', dir, { WAL_RUN: `run${run}` });
      const isFar = () => worker.told().filter(({ event }) => event === 'acknowledged').length >= after;
      await waitUntil('entries to be acknowledged', isFar, { everyMs: 1 });
      worker.signal('KILL');
      await worker.ended();
      told.push(...worker.told());
      await expectKept(dir, told);
    }
  });
});

describe('two processes on one directory', () => {
  it('the second is told who holds it, can look at it, and gets it when the first was killed', async () => {
    const dir = join(guardedDirectory('wal'), 'log');
    const holder = await startWorker('hold', dir);
    await waitUntil('the log to be opened', () => holder.told().some(({ event }) => event === 'opened'));
    const pid = (await inspectWal(dir)).holder?.pid;
    await expect(openWal({ dir })).rejects.toMatchObject({
      code: 'WAL_LOCKED',
      message: expect.stringContaining(`is held by process ${pid} on `),
    });
    holder.signal('KILL');
    await holder.ended();
    await (await openWal({ dir })).close();
  });
});

describe('a disk that is full', () => {
  it('fails appends, loses nothing, and the writer goes on when there is room', async (context) => {
    const mountPoint = guardedDirectory('wal-full');
    // A mount of its own, which is gone with the process.
    const command = 'mount -t tmpfs -o size=600k tmpfs "$1" || exit 77; shift; exec "$@"';
    const isolated = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', command, 'sh', mountPoint];
    const worker = await startWorker('fill', join(mountPoint, 'log'), {}, isolated);
    const end = await worker.ended();
    if (worker.told().length === 0) context.skip(`mounting is not allowed here: ${worker.tail()}`);
    expect(end, worker.tail()).toEqual({ signal: null, code: 0 });
    const [filled] = worker.told();
    expect(filled).toMatchObject({ event: 'filled', missing: [], refused: expect.any(Number) });
    expect(Number(filled?.before)).toBeGreaterThan(50);
    expect(filled?.found).toBe(filled?.acknowledged);
  });
});
