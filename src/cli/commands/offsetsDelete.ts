import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';

interface RawDelete extends RawPlace {
  readonly yes?: true;
  readonly reason: string;
  readonly backup?: string;
  readonly json?: true;
}

export function addOffsetsDelete(parent: Command, context: CommandContext): void {
  const command = parent
    .command('delete')
    .summary('remove the progress of a pipeline')
    .description(
      'Removes the positions of a pipeline, or of topics and partitions of it, after its name was typed. Should it start again it begins by its reset policy, and records are read again. The history stays. Refused while a process works on them.',
    );
  addPlaceOptions(command)
    .option('--yes', 'do not ask for the name')
    .option('--reason <TEXT>', 'why, for the history', 'deleted')
    .option('--backup <FILE>', 'write the positions as they were to this file first')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets delete --backup orders.json orders.yaml
  tidemark offsets delete --yes --store postgres://db/app --pipeline orders-old`,
    )
    .action(async (file: string | undefined, raw: RawDelete) => {
      const { deleteOffsets } = await import('../actions/offsetsDelete.ts');
      const { reason, backup, yes = false } = raw;
      context.finish(await deleteOffsets({ file, raw, reason, backup, yes, json: raw.json === true }, context));
    });
}
