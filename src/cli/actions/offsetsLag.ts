import {
  type LagSeconds,
  lateWarning,
  type PartitionPosition,
  type Progress,
  readLagSeconds,
  readPositions,
  summariseLag,
} from '../../operations/index.ts';
import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';
import { lagJson, lagOfPartitionsTable, lagTable } from '../lagOutput.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, withProgress } from '../progress.ts';
import { untilInterrupted } from '../watch.ts';

/** What the command line asks for, validated. */
export interface LagCommand extends PlaceArguments {
  readonly json: boolean;
  /** A line for each partition instead of each topic. */
  readonly byPartition: boolean;
  /** Exit code 5 when a partition lags by more. */
  readonly failOver: bigint | undefined;
  /** Look again after so long, until interrupted; undefined = once. */
  readonly watchMs: number | undefined;
}

/** Reads store and log, and shows the difference: once, or until interrupted. */
export async function showLag(command: LagCommand, context: CommandContext): Promise<ExitCode> {
  return withProgress(command, context, 'look', async (progress) => {
    const { watchMs } = command;
    if (watchMs === undefined) return showOnce(progress, command, context);
    await untilInterrupted(
      watchMs,
      () => look(progress, command),
      context,
      !command.json,
      (found) => print(progress.pipeline, found, command, [], context),
    );
    return exitCodes.done;
  });
}

async function showOnce(progress: Progress, command: LagCommand, context: CommandContext): Promise<ExitCode> {
  const found = await look(progress, command);
  const { failOver } = command;
  const exceeded = found.positions.filter((position) => isOver(position, failOver));
  print(progress.pipeline, found, command, exceeded, context);
  return exceeded.length > 0 ? exitCodeOf({ kind: 'checkFailed' }) : exitCodes.done;
}

interface Found extends LagSeconds {
  readonly positions: readonly PartitionPosition[];
}

async function look(progress: Progress, { raw }: LagCommand): Promise<Found> {
  const positions = await readPositions(progress, choiceOf(raw));
  return { positions, ...(await readLagSeconds(progress.driver, positions)) };
}

function print(
  pipeline: string,
  found: Found,
  { json, byPartition, failOver }: LagCommand,
  exceeded: readonly PartitionPosition[],
  context: CommandContext,
): void {
  const { positions, seconds, late } = found;
  const warnings = lateWarning(late);
  const summary = summariseLag(positions, found);
  if (json) {
    const check = failOver === undefined ? {} : { failOver, exceeded: exceeded.length };
    context.out(lagJson(pipeline, positions, seconds, summary, { ...check, warnings }, context.redact));
    return;
  }
  context.out(byPartition ? lagOfPartitionsTable(positions, seconds) : lagTable(summary));
  for (const warning of warnings) context.err(`tidemark: ${warning}\n`);
  for (const { topic, partition, lag } of exceeded) {
    context.err(`tidemark: ${topic}-${partition}: lag ${lag ?? 'unknown'} is over ${failOver}\n`);
  }
}

/** A check that cannot tell must not pass. */
function isOver({ lag: offsets }: PartitionPosition, failOver: bigint | undefined): boolean {
  return failOver !== undefined && (offsets === undefined || offsets > failOver);
}
