import type { Command } from 'commander';
import { exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';

export function addWalInspect(parent: Command, context: CommandContext): void {
  parent
    .command('inspect')
    .summary('show what a write-ahead log holds')
    .description(
      'Shows the segments of a write-ahead log, how many entries wait and how many are done, who has it open, and what is wrong with it; of a log of receiver mode also the blocks of each partition and the batches that have them. Only reads, and works on a damaged log and on one in use.',
    )
    .argument('<DIR>', 'directory of the log')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark wal inspect /var/lib/orders/wal
  tidemark wal inspect --json /var/lib/orders/wal | jq .entriesWaiting`,
    )
    .action(async (dir: string, raw: { readonly json?: true }) => {
      const { showWal } = await import('../actions/walInspect.ts');
      await showWal({ dir, json: raw.json === true }, context);
      context.finish(exitCodes.done);
    });
}
