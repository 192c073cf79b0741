import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';

interface RawPause extends RawPlace {
  readonly reason: string;
  readonly json?: true;
}

export function addOffsetsPause(parent: Command, context: CommandContext): void {
  const command = parent
    .command('pause')
    .summary('hold a pipeline, topics or partitions')
    .description(
      'Holds a pipeline, or topics and partitions of it: when the command is done nothing of them is committed any more, also after a restart, until resume.',
    );
  addPlaceOptions(command)
    .option('--reason <TEXT>', 'why, for whoever looks at it next', 'no reason given')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets pause --reason 'database moves at 22:00' orders.yaml
  tidemark offsets pause --topic orders:3 --store postgres://db/app --pipeline orders`,
    )
    .action(async (file: string | undefined, raw: RawPause) => {
      const { pauseOffsets } = await import('../actions/offsetsPause.ts');
      context.finish(await pauseOffsets({ file, raw, reason: raw.reason, json: raw.json === true }, context));
    });
}
