import { writeFile } from 'node:fs/promises';
import { messageOf, TidemarkError } from '../errors.ts';
import type { StoredOffset } from '../offsets/index.ts';
import { exportText } from '../operations/index.ts';

/**
 * Writes what a command is about to change into a file. A file that is there stays as it is: it may be the backup of an earlier,
 * worse idea. Later attempts of the same command write again.
 */
export function backupTo(file: string | undefined, pipeline: string) {
  if (file === undefined) return undefined;
  let isOurs = false;
  return async (rows: readonly StoredOffset[]): Promise<void> => {
    try {
      await writeFile(file, exportText(rows, pipeline, Date.now()), { flag: isOurs ? 'w' : 'wx' });
      isOurs = true;
    } catch (error) {
      throw new TidemarkError('USAGE_INVALID', `--backup: ${file} cannot be written: ${messageOf(error)}`, {
        path: '--backup',
        hint: 'Name a file that is not there yet. Nothing was changed.',
      });
    }
  };
}
