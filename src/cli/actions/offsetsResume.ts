import { partitionName } from '../../model/index.ts';
import { resume } from '../../operations/index.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import { ordersJson, ordersTable } from '../orderOutput.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, withProgress } from '../progress.ts';

export interface ResumeCommand extends PlaceArguments {
  readonly json: boolean;
}

/** Ends pauses and says which, and which parked partitions are tried again. */
export async function resumeOffsets({ json, ...command }: ResumeCommand, context: CommandContext): Promise<ExitCode> {
  await withProgress(command, context, 'use', async (progress) => {
    const { ended, retried } = await resume(progress, { choice: choiceOf(command.raw) });
    if (json) {
      context.out(ordersJson(progress.pipeline, ended, context, { retried }));
      return;
    }
    if (ended.length > 0) context.out(ordersTable(ended, context));
    const again = retried.length === 0 ? '' : `; tried again: ${retried.map(partitionName).join(', ')}`;
    context.err(`tidemark: ${ended.length} pause${ended.length === 1 ? '' : 's'} ended${again}\n`);
  });
  return exitCodes.done;
}
