import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { usageError } from '../usage.ts';

interface RawExport extends RawPlace {
  readonly csv?: true;
  readonly json?: true;
  readonly out?: string;
  readonly force?: true;
}

export function addOffsetsExport(parent: Command, context: CommandContext): void {
  const command = parent
    .command('export')
    .summary('write positions down, for import or for Kafka’s own tool')
    .description(
      'Writes the positions of a pipeline or a consumer group as JSON, or with --csv in the form that kafka-consumer-groups.sh reads with --from-file: topic,partition,offset, without a head line. Only reads the store; brokers are needed for a consumer group only.',
    );
  addPlaceOptions(command)
    .option('--csv', 'in the form of Kafka’s own tool; without it JSON, which knows topic ids as well')
    .option('--json', 'errors as JSON on standard error; without --csv the positions are JSON anyway')
    .option('--out <FILE>', 'into this file, as a whole or not at all; without it to standard output')
    .option('--force', 'overwrite the file of --out')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets export --out orders.json orders.yaml
  tidemark offsets export --csv --store postgres://localhost/shop --pipeline orders > orders.csv`,
    )
    .action(async (file: string | undefined, raw: RawExport) => {
      if (raw.force && raw.out === undefined) throw usageError('--force', 'it goes with --out');
      const { exportOffsets } = await import('../actions/offsetsExport.ts');
      const form = raw.csv ? 'csv' : 'json';
      context.finish(await exportOffsets({ file, raw, form, out: raw.out, force: raw.force === true }, context));
    });
}
