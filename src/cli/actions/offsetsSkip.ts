import { type SkipPlan, skip } from '../../operations/index.ts';
import { backupTo } from '../backup.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { onePartition, operatorName, withProgress } from '../progress.ts';
import { textTable } from '../table.ts';
import { tellGroup } from '../tellGroup.ts';

export interface SkipCommand extends PlaceArguments {
  readonly fromOffset: bigint | undefined;
  readonly untilOffset: bigint | undefined;
  readonly reason: string;
  readonly backup: string | undefined;
  readonly execute: boolean;
  readonly json: boolean;
}

/** Shows what would be passed over, or passes over it. */
export async function skipOffsets(command: SkipCommand, context: CommandContext): Promise<ExitCode> {
  const { fromOffset, untilOffset, reason, execute } = command;
  const of = onePartition(command.raw);
  await withProgress(command, context, execute ? 'use' : 'look', async (progress) => {
    const beforeChange = backupTo(command.backup, progress.pipeline);
    const by = operatorName(context);
    const plan = await skip(progress, { of, fromOffset, untilOffset, reason, execute, by, beforeChange });
    if (execute) await tellGroup(progress, context);
    if (command.json) {
      context.out(jsonLine({ pipeline: progress.pipeline, ...plan }));
      return;
    }
    context.out(skipTable(plan));
    context.err(`tidemark: ${summary(plan)}\n`);
  });
  return exitCodes.done;
}

function skipTable({ topic, partition, position, fromOffset, untilOffset, records }: SkipPlan): string {
  const cells = [topic, partition, position, fromOffset, untilOffset, records ?? '-'].map(String);
  return textTable(['TOPIC', 'PARTITION', 'STORED', 'FROM', 'UNTIL', 'RECORDS'], [cells]);
}

function summary({ executed, when }: SkipPlan): string {
  if (!executed) return 'nothing was changed: this is the plan; --execute applies it';
  return when === 'now' ? 'skipped' : 'ordered: it is passed over when the pipeline comes there';
}
