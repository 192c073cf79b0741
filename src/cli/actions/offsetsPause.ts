import { pause } from '../../operations/index.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import { ordersJson, ordersTable } from '../orderOutput.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, operatorName, withProgress } from '../progress.ts';

export interface PauseCommand extends PlaceArguments {
  readonly reason: string;
  readonly json: boolean;
}

/** Holds what was chosen, and shows the orders that do so. */
export async function pauseOffsets(
  { reason, json, ...command }: PauseCommand,
  context: CommandContext,
): Promise<ExitCode> {
  await withProgress(command, context, 'use', async (progress) => {
    const orders = await pause(progress, { choice: choiceOf(command.raw), reason, by: operatorName(context) });
    context.out(json ? ordersJson(progress.pipeline, orders, context) : ordersTable(orders, context));
  });
  return exitCodes.done;
}
