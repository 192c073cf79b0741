import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf } from '../../errors.ts';
import { exportCsv, exportText, readRows } from '../../operations/index.ts';
import { makeFile, nodeFiles } from '../../platform/index.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, storeSource, withOpen } from '../progress.ts';
import { usageError } from '../usage.ts';

export interface ExportCommand extends PlaceArguments {
  readonly form: 'json' | 'csv';
  /** Undefined = standard output. */
  readonly out: string | undefined;
  /** Put the file in the place of one that is there. */
  readonly force: boolean;
}

/** Writes positions down. */
export async function exportOffsets(command: ExportCommand, context: CommandContext): Promise<ExitCode> {
  const { out, force } = command;
  requireNew(out, force);
  const text = await withOpen(await storeSource(command, context), 'look', async (progress) => {
    const rows = await readRows(progress, choiceOf(command.raw));
    return command.form === 'csv' ? exportCsv(rows) : exportText(rows, progress.pipeline, Date.now());
  });
  if (out === undefined) context.out(text);
  else await writeWhole(out, text, force);
  return exitCodes.done;
}

/** Before anything is connected to, and once more before it is written. */
function requireNew(file: string | undefined, force: boolean): void {
  if (file === undefined || force || !existsSync(file)) return;
  throw usageError('--out', `is there already (${file})`, '--force overwrites it');
}

async function writeWhole(file: string, text: string, force: boolean): Promise<void> {
  requireNew(file, force);
  try {
    await makeFile(nodeFiles, dirname(file), basename(file), [Buffer.from(text)]);
  } catch (error) {
    throw usageError('--out', `cannot be written (${file}): ${messageOf(error)}`);
  }
}
