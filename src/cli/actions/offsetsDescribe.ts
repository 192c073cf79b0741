import { describeProgress } from '../../operations/index.ts';
import { describedCsv, describedFields, describedTable } from '../describeOutput.ts';
import { type ExitCode, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, withProgress } from '../progress.ts';
import type { OutputForm } from '../usage.ts';

export interface DescribeCommand extends PlaceArguments {
  readonly form: OutputForm;
  readonly onlyLagging: boolean;
}

/** Shows every partition with all that is known of it. */
export async function describeOffsets(command: DescribeCommand, context: CommandContext): Promise<ExitCode> {
  const { form, onlyLagging, raw } = command;
  const { pipeline, described } = await withProgress(command, context, 'look', async (progress) => ({
    pipeline: progress.pipeline,
    described: await describeProgress(progress, { choice: choiceOf(raw) }),
  }));
  const warnings = described.warnings.map(context.redact);
  // What is not known may lag: it is not left out.
  const shown = described.partitions
    .filter(({ lag }) => !onlyLagging || lag !== 0n)
    .map((one) => ({ ...one, reason: one.reason === undefined ? undefined : context.redact(one.reason) }));
  if (form === 'json') {
    const partitions = shown.map(describedFields);
    context.out(jsonLine({ pipeline, lagUnit: 'offsets', partitions, warnings }));
    return exitCodes.done;
  }
  context.out(form === 'csv' ? describedCsv(shown) : describedTable(shown));
  for (const warning of warnings) context.err(`tidemark: ${warning}\n`);
  return exitCodes.done;
}
