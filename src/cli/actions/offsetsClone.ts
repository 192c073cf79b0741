import { openPlace } from '../../offsets/index.ts';
import { clonePositions, type OpenProgress, type ProgressSource } from '../../operations/index.ts';
import { backupTo } from '../backup.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { printPlan } from '../planOutput.ts';
import { choiceOf, hideUrl, operatorName, progressSource, withOpen } from '../progress.ts';
import { tellGroup } from '../tellGroup.ts';
import { usageError } from '../usage.ts';

/** The other end, beside the pipeline or group that the command line names. */
export type OtherEnd =
  /** `store` undefined: the same place. */
  | { readonly kind: 'toPipeline'; readonly name: string; readonly store: string | undefined }
  | { readonly kind: 'toGroup'; readonly name: string }
  | { readonly kind: 'fromGroup'; readonly name: string };

export interface CloneCommand extends PlaceArguments {
  readonly end: OtherEnd;
  readonly allowActive: boolean;
  readonly replace: boolean;
  readonly reason: string | undefined;
  readonly backup: string | undefined;
  readonly execute: boolean;
  readonly json: boolean;
}

/** Shows what a pipeline or group would get from another one, or gives it to it. */
export async function cloneOffsets(command: CloneCommand, context: CommandContext): Promise<ExitCode> {
  const { end, execute } = command;
  const isTarget = end.kind === 'fromGroup';
  const purpose = (isChanged: boolean) => (isChanged && execute ? 'use' : 'look');
  const named = await progressSource(command, context);
  await withOpen(named, purpose(isTarget), async (progress) => {
    const other = await otherEnd(named, progress, end, context);
    // One connection to the brokers serves both.
    await withOpen(other, purpose(!isTarget), async (opened) => {
      const { driver } = progress;
      const [source, target] = isTarget ? [{ ...opened, driver }, progress] : [progress, { ...opened, driver }];
      await run(source, target, command, context);
    });
  });
  return exitCodes.done;
}

async function run(
  source: OpenProgress,
  target: OpenProgress,
  command: CloneCommand,
  context: CommandContext,
): Promise<void> {
  const { end, allowActive, replace, reason, backup, execute, json } = command;
  const plan = await clonePositions(source, target, {
    ...{ choice: choiceOf(command.raw), allowActive, replace, reason, execute, by: operatorName(context) },
    fromGroup: end.kind === 'fromGroup' || command.raw.group !== undefined,
    beforeChange: backupTo(backup, target.pipeline),
  });
  printPlan(target.pipeline, plan, json, context);
  if (execute) await tellGroup(target, context);
}

async function otherEnd(
  named: ProgressSource,
  { driver }: OpenProgress,
  end: OtherEnd,
  context: CommandContext,
): Promise<ProgressSource> {
  if (end.kind === 'toPipeline') {
    if (end.store === undefined) return { pipeline: end.name, place: named.place };
    hideUrl(end.store, context);
    return { pipeline: end.name, place: await openPlace(end.store) };
  }
  const flag = end.kind === 'toGroup' ? '--to-group' : '--from-group';
  if (driver === undefined) throw usageError(flag, 'a consumer group needs the brokers', 'give --brokers');
  const { kafkaGroupPlace } = await import('../../offsets/stores/kafkaGroup/index.ts');
  return { pipeline: end.name, place: kafkaGroupPlace(driver), groupId: end.name };
}
