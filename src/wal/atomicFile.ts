import { join } from 'node:path';
import type { DurableFiles } from '../platform/index.ts';

/** Names of files that are being made. */
export const temporarySuffix = '.tmp';

/**
 * Files that a process was making when it ended, for the opening to remove. Not those of locks: another process may be
 * making its own just now, to find out that the directory is held.
 */
export function isLeftover(name: string): boolean {
  return name.endsWith(temporarySuffix) && !name.startsWith('lock-');
}

/**
 * Makes a file with all of its bytes, durably, or not at all: under another name first, then renamed. Rejects with the
 * system's error; what was begun is removed as far as that goes.
 */
export async function makeFile(
  files: DurableFiles,
  dir: string,
  name: string,
  parts: readonly Uint8Array[],
): Promise<void> {
  const temporary = join(dir, `${name}${temporarySuffix}`);
  try {
    const file = await files.open(temporary, 'create');
    try {
      await file.write(parts, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, join(dir, name));
  } catch (error) {
    // It may not even be there; the error that counts is the first one.
    await files.remove(temporary).catch(() => {});
    throw error;
  }
  await files.syncDirectory(dir);
}
