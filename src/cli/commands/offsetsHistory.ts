import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { parseTimestamp } from '../times.ts';
import { countUpTo, outputForm } from '../usage.ts';

interface RawHistory extends RawPlace {
  readonly limit: string;
  readonly since?: string;
  readonly json?: true;
  readonly csv?: true;
}

/** They are held in memory. */
const rangesMax = 100_000;

export function addOffsetsHistory(parent: Command, context: CommandContext): void {
  const command = parent
    .command('history')
    .summary('show what was committed when, by whom, and what became of the records')
    .description(
      'Shows the newest committed ranges, newest first: gaps and resets are marked with >> and say who and why, a hole that nobody declared with !!. Contiguous ranges of one owner are one row, up to a minute or a million records. Needs a ledger in PostgreSQL or Redis, no brokers.',
    );
  addPlaceOptions(command)
    .option('--limit <N>', 'rows at most, of all partitions together', '50')
    .option('--since <TIME>', 'only what was committed since: 2026-01-31, 2026-01-31T12:00:00Z, or ms since 1970')
    .option('--json', 'as JSON on standard output')
    .option('--csv', 'as CSV on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets history --limit 20 orders.yaml
  tidemark offsets history --topic orders:3 --since 2026-01-31T12:00:00Z --csv orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawHistory) => {
      const options = {
        form: outputForm(raw),
        limit: countUpTo('--limit', raw.limit, rangesMax),
        sinceMs: raw.since === undefined ? undefined : parseTimestamp('--since', raw.since),
      };
      const { showHistory } = await import('../actions/offsetsHistory.ts');
      context.finish(await showHistory({ file, raw, ...options }, context));
    });
}
