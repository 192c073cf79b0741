import { join } from 'node:path';
import type { DurableFiles } from './durableFiles.ts';
import { failpoint } from './failpoints.ts';

/** Names of files that are being made. */
export const temporarySuffix = '.tmp';

/**
 * Makes a file with all of its bytes, or puts it in the place of the one that is there, durably, or not at all: under
 * another name first, then renamed. Rejects with the system's error; what was begun is removed as far as that goes.
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
    failpoint('file.beforeRename');
    await files.rename(temporary, join(dir, name));
    failpoint('file.afterRename');
  } catch (error) {
    // It may not even be there; the error that counts is the first one.
    await files.remove(temporary).catch(() => {});
    throw error;
  }
  await files.syncDirectory(dir);
}
