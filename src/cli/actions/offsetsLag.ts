import { type PartitionPosition, readPositions } from '../../operations/index.ts';
import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { choiceOf, type PlaceArguments, withProgress } from '../progress.ts';
import { textTable } from '../table.ts';

/** What the command line asks for, validated. */
export interface LagCommand extends PlaceArguments {
  readonly json: boolean;
  /** Exit code 5 when a partition lags by more. */
  readonly failOver: bigint | undefined;
}

/** Reads store and log, and shows the difference. */
export async function showLag(command: LagCommand, context: CommandContext): Promise<ExitCode> {
  const { pipeline, partitions } = await withProgress(command, context, 'look', async (progress) => ({
    pipeline: progress.pipeline,
    partitions: await readPositions(progress, choiceOf(command.raw)),
  }));
  const exceeded = partitions.filter((partition) => isOver(partition, command.failOver));
  const { redact } = context;
  context.out(command.json ? lagJson(pipeline, partitions, command, exceeded, redact) : lagTable(partitions));
  for (const { topic, partition, lag: offsets } of command.json ? [] : exceeded) {
    context.err(`tidemark: ${topic}-${partition}: lag ${offsets ?? 'unknown'} is over ${command.failOver}\n`);
  }
  return exceeded.length > 0 ? exitCodeOf({ kind: 'checkFailed' }) : exitCodes.done;
}

/** A check that cannot tell must not pass. */
function isOver({ lag: offsets }: PartitionPosition, failOver: bigint | undefined): boolean {
  return failOver !== undefined && (offsets === undefined || offsets > failOver);
}

function lagTable(partitions: readonly PartitionPosition[]): string {
  const rows = partitions.map(({ topic, partition, row, log, lag: offsets, state }) => [
    topic,
    String(partition),
    state,
    String(row?.nextOffset ?? '-'),
    String(log?.bounds.lastStableOffset ?? '-'),
    String(offsets ?? '-'),
  ]);
  return textTable(['TOPIC', 'PARTITION', 'STATE', 'STORED', 'LOG-END', 'LAG'], rows);
}

function lagJson(
  pipeline: string,
  partitions: readonly PartitionPosition[],
  { failOver }: LagCommand,
  exceeded: readonly PartitionPosition[],
  redact: (text: string) => string,
): string {
  const totalLag = partitions.reduce((sum, { lag: offsets }) => sum + (offsets ?? 0n), 0n);
  const check = failOver === undefined ? {} : { failOver, exceeded: exceeded.length };
  const shown = partitions.map(({ topic, partition, row, log, lag, state, reason }) => ({
    ...{ topic, partition, storedOffset: row?.nextOffset },
    ...{ logStartOffset: log?.bounds.logStartOffset, logEndOffset: log?.bounds.lastStableOffset, lag, state },
    reason: reason === undefined ? undefined : redact(reason),
  }));
  return jsonLine({ pipeline, partitions: shown, totalLag, ...check });
}
