import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { byteFormats } from '../peekText.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { countUpTo, oneOf, outputForm, wholeNumber } from '../usage.ts';

interface RawPeek extends RawPlace {
  readonly offset?: string;
  readonly before: string;
  readonly after: string;
  readonly format: string;
  readonly full?: true;
  readonly json?: true;
  readonly csv?: true;
}

/** They are held in memory. */
const recordsMax = 1000;

export function addOffsetsPeek(parent: Command, context: CommandContext): void {
  const command = parent
    .command('peek')
    .summary('show the records around the position of a partition')
    .description(
      'Shows records before and behind the position of one partition, or an offset: what was processed last, and what comes next. The next record of the pipeline is marked with >, that of --offset with @. Only committed records are shown, and nothing is changed.',
    );
  addPlaceOptions(command)
    .option('--offset <N>', 'look there (default: the position of the pipeline)')
    .option('-B, --before <N>', 'records before it', '3')
    .option('-A, --after <N>', 'records that follow the one that is there', '3')
    .option('--format <FORMAT>', 'json, text or hex: what cannot be shown so is shown as the next of them', 'json')
    .option('--full', 'shorten nothing')
    .option('--json', 'as JSON on standard output, nothing shortened')
    .option('--csv', 'as CSV on standard output, nothing shortened')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets peek --topic orders:3 orders.yaml
  tidemark offsets peek --group payments --brokers localhost:9092 --topic orders:0 --offset 1200 -B 10 -A 0`,
    )
    .action(async (file: string | undefined, raw: RawPeek) => {
      const options = {
        form: outputForm(raw),
        offset: raw.offset === undefined ? undefined : wholeNumber('--offset', raw.offset),
        before: countUpTo('--before', raw.before, recordsMax),
        after: countUpTo('--after', raw.after, recordsMax),
        format: oneOf('--format', raw.format, byteFormats),
        full: raw.full === true,
      };
      const { showRecords } = await import('../actions/offsetsPeek.ts');
      context.finish(await showRecords({ file, raw, ...options }, context));
    });
}
