import { removePositions } from '../../operations/index.ts';
import { backupTo } from '../backup.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, operatorName, withProgress } from '../progress.ts';
import { textTable } from '../table.ts';
import { usageError } from '../usage.ts';

export interface DeleteCommand extends PlaceArguments {
  readonly yes: boolean;
  readonly reason: string;
  readonly backup: string | undefined;
  readonly json: boolean;
}

/** Removes rows after the name of the pipeline was typed, and shows what was there. */
export async function deleteOffsets(command: DeleteCommand, context: CommandContext): Promise<ExitCode> {
  await withProgress(command, context, 'use', async (progress) => {
    const { pipeline } = progress;
    if (!command.yes) await requireName(pipeline, context);
    const rows = await removePositions(progress, {
      ...{ choice: choiceOf(command.raw), by: operatorName(context), reason: command.reason },
      beforeChange: backupTo(command.backup, pipeline),
    });
    const removed = rows.map(({ topic, partition, nextOffset }) => ({ topic, partition, storedOffset: nextOffset }));
    if (command.json) {
      context.out(jsonLine({ pipeline, removed }));
      return;
    }
    const cells = removed.map(({ topic, partition, storedOffset }) => [topic, String(partition), String(storedOffset)]);
    context.out(textTable(['TOPIC', 'PARTITION', 'STORED'], cells));
    context.err(`tidemark: removed ${removed.length} position${removed.length === 1 ? '' : 's'} of ${pipeline}\n`);
  });
  return exitCodes.done;
}

async function requireName(pipeline: string, { ask }: CommandContext): Promise<void> {
  if (ask === undefined) throw usageError('--yes', 'nobody is there to type the name of the pipeline', 'give --yes');
  const typed = await ask(`This removes the progress of ${pipeline}. Type its name to go on: `);
  if (typed.trim() !== pipeline)
    throw usageError('delete', `${JSON.stringify(typed.trim())} is not the name`, 'nothing was removed');
}
