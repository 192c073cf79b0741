import { join } from 'node:path';
import type { TidemarkError } from '../errors.ts';
import { makeFile } from './atomicFile.ts';
import type { DurableFiles } from './durableFiles.ts';
import { errnoOf } from './fileErrors.ts';
import { identifyProcess, newClaimToken, processLives, processStartTicks } from './identity.ts';

/** Who holds a lock: what stands in its file. */
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

/** What is locked: the files `<prefix><uuid>` of a directory. */
export interface LockPlace {
  readonly files: DurableFiles;
  readonly dir: string;
  readonly prefix: string;
  readonly processes: LockProcesses;
}

/** A lock that is held: where, by whom where its file says so, and whether anybody here can tell if that process lives. */
export interface HeldLock {
  readonly path: string;
  readonly holder: LockHolder | undefined;
  readonly isElsewhere: boolean;
}

const token = /^[0-9a-f-]{36}$/;

/**
 * Takes what is locked for this process; answers how to give it back. Rejects with what `refused` makes of a lock that
 * another process holds, and with the system's own errors.
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
  place: LockPlace,
  refused: (lock: HeldLock) => TidemarkError,
): Promise<() => Promise<void>> {
  const { files, dir, prefix, processes } = place;
  const name = `${prefix}${newClaimToken()}`;
  const release = () => removeIfThere(files, join(dir, name));
  try {
    await makeFile(files, dir, name, [Buffer.from(`${JSON.stringify(processes.self)}\n`)]);
    for (const other of await lockNames(place)) {
      if (other === name) continue;
      const holder = await readHolder(files, join(dir, other));
      if (holder === 'gone') continue;
      if (holder === undefined || !isStale(holder, processes)) {
        const isElsewhere = holder === undefined || holder.bootId !== processes.self.bootId;
        throw refused({ path: join(dir, other), holder, isElsewhere });
      }
      await removeIfThere(files, join(dir, other));
    }
  } catch (error) {
    await release().catch(() => {});
    throw error;
  }
  return release;
}

/** Who holds the lock now, as far as can be told without taking it. */
export async function findHolder(place: LockPlace): Promise<LockHolder | undefined> {
  const { files, dir, processes } = place;
  for (const name of await lockNames(place)) {
    const holder = await readHolder(files, join(dir, name));
    if (holder !== 'gone' && holder !== undefined && !isStale(holder, processes)) return holder;
  }
  return undefined;
}

async function lockNames({ files, dir, prefix }: LockPlace): Promise<readonly string[]> {
  return (await files.list(dir)).filter((name) => name.startsWith(prefix) && token.test(name.slice(prefix.length)));
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
