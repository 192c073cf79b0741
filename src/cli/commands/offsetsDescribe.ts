import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { outputForm } from '../usage.ts';

interface RawDescribe extends RawPlace {
  readonly onlyLagging?: true;
  readonly json?: true;
  readonly csv?: true;
}

export function addOffsetsDescribe(parent: Command, context: CommandContext): void {
  const command = parent
    .command('describe')
    .summary('show where each partition is, how far behind, and who works on it')
    .description(
      'Shows for each partition the stored offset, what the consumer group has, the bounds of the log, the lag in offsets and in seconds, the owner, the last commit and the state. Only reads, and works whether the pipeline runs or not. Offsets are an upper bound of records: compaction and transactions leave holes.',
    );
  addPlaceOptions(command)
    .option('--only-lagging', 'leave out partitions that have nothing to do')
    .option('--json', 'as JSON on standard output')
    .option('--csv', 'as CSV on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets describe orders.yaml
  tidemark offsets describe --group payments --brokers localhost:9092 --only-lagging`,
    )
    .action(async (file: string | undefined, raw: RawDescribe) => {
      const form = outputForm(raw);
      const { describeOffsets } = await import('../actions/offsetsDescribe.ts');
      const onlyLagging = raw.onlyLagging === true;
      context.finish(await describeOffsets({ file, raw, form, onlyLagging }, context));
    });
}
