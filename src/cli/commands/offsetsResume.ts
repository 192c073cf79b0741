import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';

interface RawResume extends RawPlace {
  readonly json?: true;
}

export function addOffsetsResume(parent: Command, context: CommandContext): void {
  const command = parent
    .command('resume')
    .summary('end a pause, and try parked partitions again')
    .description(
      'Ends the pauses of a pipeline, or of topics and partitions of it, and has partitions that are parked tried again by the processes that run.',
    );
  addPlaceOptions(command)
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets resume orders.yaml
  tidemark offsets resume --topic orders:3 orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawResume) => {
      const { resumeOffsets } = await import('../actions/offsetsResume.ts');
      context.finish(await resumeOffsets({ file, raw, json: raw.json === true }, context));
    });
}
