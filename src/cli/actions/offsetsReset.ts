import { type ResetTarget, reset } from '../../operations/index.ts';
import { backupTo } from '../backup.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { printPlan } from '../planOutput.ts';
import { choiceOf, operatorName, withProgress } from '../progress.ts';
import { tellGroup } from '../tellGroup.ts';
import { usageError } from '../usage.ts';

/** `group` without a name: the pipeline's own. */
export type AskedTarget = ResetTarget | { readonly to: 'ownGroup' };

export interface ResetCommand extends PlaceArguments {
  readonly target: AskedTarget;
  readonly onlyLagging: boolean;
  readonly reason: string | undefined;
  readonly backup: string | undefined;
  readonly execute: boolean;
  readonly json: boolean;
}

/** Shows where partitions would go, or moves them there. */
export async function resetOffsets(command: ResetCommand, context: CommandContext): Promise<ExitCode> {
  const { target, reason, execute, json, onlyLagging } = command;
  await withProgress(command, context, execute ? 'use' : 'look', async (progress) => {
    const plan = await reset(progress, {
      ...{ choice: choiceOf(command.raw), onlyLagging, reason, execute, by: operatorName(context) },
      target: target.to === 'ownGroup' ? { to: 'group', groupId: ownGroup(progress.groupId) } : target,
      beforeChange: backupTo(command.backup, progress.pipeline),
    });
    printPlan(progress.pipeline, plan, json, context);
    if (execute) await tellGroup(progress, context);
  });
  return exitCodes.done;
}

function ownGroup(groupId: string | undefined): string {
  if (groupId === undefined) throw usageError('--to-group', 'the group of the pipeline is not known', 'give its name');
  return groupId;
}
