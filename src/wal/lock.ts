import { join } from 'node:path';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import {
  type DurableFiles,
  identifyProcess,
  newClaimToken,
  processLives,
  processStartTicks,
} from '../platform/index.ts';
import { makeFile } from './atomicFile.ts';
import { errnoOf, fileError } from './damage.ts';

/** Who holds a directory: what stands in its lock file. */
export interface LockHolder {
  readonly host: string;
  /** Boot of the machine and pid namespace; empty where the system does not tell. */
  readonly bootId: string;
  readonly pid: number;
  /** Start of the process in clock ticks since the boot; a pid alone is given out again. */
  readonly startTicks: string;
}

/** Processes, as far as locks care; a port because a test has several in one. */
export interface LockProcesses {
  readonly self: LockHolder;
  /** Whether the holder, a process of this boot, is there. */
  isAlive(holder: LockHolder): boolean;
}

export function systemProcesses(): LockProcesses {
  const { host, bootId, pid } = identifyProcess();
  return {
    self: { host, bootId, pid, startTicks: processStartTicks(pid) },
    isAlive: (holder) => processLives(holder.pid) && processStartTicks(holder.pid) === holder.startTicks,
  };
}

const lockPattern = /^lock-[0-9a-f-]{36}$/;

/**
 * Takes the directory for this process; answers how to give it back.
 *
 * Each process makes a lock file with a name of its own and then looks for others. Two that come at once: each has made
 * its file before it looks, so at least one sees the other, and that one gives way. With a single file, a stale lock
 * could not be replaced safely: A and B find it stale, A replaces it, B removes what it takes for the stale one. The
 * price: two that come at the very same time may both give way.
 *
 * A lock is stale only when it is of this boot and its process is gone. Of another boot nobody here can tell: it may be
 * another machine with the same disk.
 */
export async function acquireLock(
  files: DurableFiles,
  dir: string,
  processes: LockProcesses,
): Promise<() => Promise<void>> {
  const name = `lock-${newClaimToken()}`;
  const release = () => removeIfThere(files, join(dir, name));
  try {
    await makeFile(files, dir, name, [Buffer.from(`${JSON.stringify(processes.self)}\n`)]);
    for (const other of await lockNames(files, dir)) {
      if (other === name) continue;
      const holder = await readHolder(files, join(dir, other));
      if (holder === 'gone') continue;
      if (holder === undefined || !isStale(holder, processes)) throw lockedError(dir, other, holder, processes.self);
      await removeIfThere(files, join(dir, other));
    }
  } catch (error) {
    await release().catch(() => {});
    throw isTidemarkError(error) ? error : fileError('WAL_WRITE_FAILED', dir, error);
  }
  return release;
}

/** Who holds the directory now, as far as can be told without taking it. */
export async function findHolder(
  files: DurableFiles,
  dir: string,
  processes: LockProcesses,
): Promise<LockHolder | undefined> {
  for (const name of await lockNames(files, dir)) {
    const holder = await readHolder(files, join(dir, name));
    if (holder !== 'gone' && holder !== undefined && !isStale(holder, processes)) return holder;
  }
  return undefined;
}

async function lockNames(files: DurableFiles, dir: string): Promise<readonly string[]> {
  return (await files.list(dir)).filter((name) => lockPattern.test(name));
}

function isStale(holder: LockHolder, { self, isAlive }: LockProcesses): boolean {
  return holder.bootId !== '' && holder.bootId === self.bootId && !isAlive(holder);
}

/** `undefined` when the file does not say, `'gone'` when it was given back meanwhile. */
async function readHolder(files: DurableFiles, path: string): Promise<LockHolder | 'gone' | undefined> {
  try {
    const file = await files.open(path, 'read');
    try {
      const bytes = Buffer.alloc(Math.min(await file.size(), 4096));
      await file.read(bytes, 0);
      const { host, bootId, pid, startTicks } = JSON.parse(bytes.toString('utf8')) as Partial<LockHolder>;
      if (host === undefined || bootId === undefined || pid === undefined || startTicks === undefined) return undefined;
      return { host, bootId, pid, startTicks };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'gone';
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function removeIfThere(files: DurableFiles, path: string): Promise<void> {
  await files.remove(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}

function lockedError(dir: string, name: string, holder: LockHolder | undefined, self: LockHolder): TidemarkError {
  const path = join(dir, name);
  const who = holder === undefined ? 'a process that cannot be told' : `process ${holder.pid} on ${holder.host}`;
  const elsewhere = holder === undefined || holder.bootId !== self.bootId;
  return new TidemarkError('WAL_LOCKED', `${dir}: the write-ahead log is held by ${who}`, {
    path,
    retriable: true,
    hint: elsewhere
      ? `It is of another boot, machine or container: whether it lives cannot be told from here. When it is gone for certain, remove ${path}.`
      : 'Stop that process, or give this one a directory of its own.',
  });
}
