import { isTidemarkError, TidemarkError } from '../errors.ts';
import {
  acquireLock as acquire,
  type DurableFiles,
  findHolder as find,
  type HeldLock,
  type LockHolder,
  type LockProcesses,
  temporarySuffix,
} from '../platform/index.ts';
import { fileError } from './damage.ts';

export { type LockHolder, type LockProcesses, systemProcesses } from '../platform/index.ts';

const prefix = 'lock-';

/** Takes the directory of a log for this process; answers how to give it back. WAL_LOCKED when another process has it. */
export async function acquireLock(
  files: DurableFiles,
  dir: string,
  processes: LockProcesses,
): Promise<() => Promise<void>> {
  try {
    return await acquire({ files, dir, prefix, processes }, (lock) => lockedError(dir, lock));
  } catch (error) {
    throw isTidemarkError(error) ? error : fileError('WAL_WRITE_FAILED', dir, error);
  }
}

/** Who holds the directory now, as far as can be told without taking it. */
export function findHolder(
  files: DurableFiles,
  dir: string,
  processes: LockProcesses,
): Promise<LockHolder | undefined> {
  return find({ files, dir, prefix, processes });
}

/**
 * Files that a process was making when it ended, for the opening to remove. Not those of locks: another process may be
 * making its own just now, to find out that the directory is held.
 */
export function isLeftover(name: string): boolean {
  return name.endsWith(temporarySuffix) && !name.startsWith(prefix);
}

function lockedError(dir: string, { path, holder, isElsewhere }: HeldLock): TidemarkError {
  const who = holder === undefined ? 'a process that cannot be told' : `process ${holder.pid} on ${holder.host}`;
  return new TidemarkError('WAL_LOCKED', `${dir}: the write-ahead log is held by ${who}`, {
    path,
    retriable: true,
    hint: isElsewhere
      ? `It is of another boot, machine or container: whether it lives cannot be told from here. When it is gone for certain, remove ${path}.`
      : 'Stop that process, or give this one a directory of its own.',
  });
}
