import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';

interface RawImport extends RawPlace {
  readonly from: string;
  readonly adoptTopic?: true;
  readonly reason?: string;
  readonly backup?: string;
  readonly execute?: true;
  readonly json?: true;
}

export function addOffsetsImport(parent: Command, context: CommandContext): void {
  const command = parent
    .command('import')
    .summary('bring a pipeline to the positions of a file')
    .description(
      'Reads what offsets export or kafka-consumer-groups.sh --export wrote, shows for each partition of the file where it is and where it would go, and with --execute moves it. The whole file is checked first, against the brokers too: with one bad line nothing is changed, and all of them are named. Partitions that have no position get one.',
    );
  addPlaceOptions(command)
    .requiredOption('--from <FILE>', 'the file, JSON or CSV; - = standard input')
    .option('--adopt-topic', 'take offsets of a topic that was made again since, for the new one')
    .option('--reason <TEXT>', 'why, for the history')
    .option('--backup <FILE>', 'write the positions as they were to this file first')
    .option('--execute', 'apply the plan; without it nothing is changed')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets import --from orders.json orders.yaml
  tidemark offsets import --from - --backup before.json --execute orders.yaml < orders.csv`,
    )
    .action(async (file: string | undefined, raw: RawImport) => {
      const { importOffsets } = await import('../actions/offsetsImport.ts');
      const { from, reason, backup } = raw;
      const flags = {
        adoptTopic: raw.adoptTopic === true,
        execute: raw.execute === true,
        json: raw.json === true,
      };
      context.finish(await importOffsets({ file, raw, from, reason, backup, ...flags }, context));
    });
}
