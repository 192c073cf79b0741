import { importPositions } from '../../operations/index.ts';
import { backupTo } from '../backup.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import { readInput } from '../inputFile.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { printPlan } from '../planOutput.ts';
import { choiceOf, operatorName, withProgress } from '../progress.ts';
import { tellGroup } from '../tellGroup.ts';
import { usageError } from '../usage.ts';

export interface ImportCommand extends PlaceArguments {
  /** `-` = standard input. */
  readonly from: string;
  readonly adoptTopic: boolean;
  readonly reason: string | undefined;
  readonly backup: string | undefined;
  readonly execute: boolean;
  readonly json: boolean;
}

/** Shows where a file would bring a pipeline, or brings it there. */
export async function importOffsets(command: ImportCommand, context: CommandContext): Promise<ExitCode> {
  const { from, adoptTopic, reason, execute, json } = command;
  if (choiceOf(command.raw).length > 0) throw usageError('--topic', 'the file says which partitions');
  const text = await readInput('--from', from);
  await withProgress(command, context, execute ? 'use' : 'look', async (progress) => {
    const plan = await importPositions(progress, {
      ...{ text, name: from === '-' ? 'standard input' : from, adoptTopic, reason, execute },
      ...{ by: operatorName(context), beforeChange: backupTo(command.backup, progress.pipeline) },
    });
    printPlan(progress.pipeline, plan, json, context);
    if (execute) await tellGroup(progress, context);
  });
  return exitCodes.done;
}
