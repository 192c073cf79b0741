import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';

interface RawVerify extends RawPlace {
  readonly deep?: true;
  readonly json?: true;
}

export function addOffsetsVerify(parent: Command, context: CommandContext): void {
  const command = parent
    .command('verify')
    .summary('prove that no record was lost or doubled')
    .description(
      'Proves over the whole history of a ledger that committed ranges follow each other without gap and overlap, that every hole is declared and has a reason, that of every record it is counted what became of it, and that each position is where its history ends. Only reads, beside a running pipeline too. Exit code 5 when something is wrong. Needs a ledger in PostgreSQL or Redis.',
    );
  addPlaceOptions(command)
    .option(
      '--deep',
      'also read the topics again and count the records, and the rows of a PostgreSQL target whose columns take $partition and $offset',
    )
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets verify orders.yaml
  tidemark offsets verify --deep --topic orders:0-3 --json orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawVerify) => {
      const { verifyOffsets } = await import('../actions/offsetsVerify.ts');
      const options = { file, raw, deep: raw.deep === true, json: raw.json === true };
      context.finish(await verifyOffsets(options, context));
    });
}
