import type { Command } from 'commander';
import { exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';

export function addWalRepair(parent: Command, context: CommandContext): void {
  parent
    .command('repair')
    .summary('save what is good of a damaged write-ahead log')
    .description(
      'Writes the good entries of a write-ahead log to a log in another directory and lists what could not be saved. Entries keep their indices, the log its id. The damaged log stays as it is; nobody may have it open.',
    )
    .argument('<DIR>', 'directory of the damaged log')
    .requiredOption('--to <OTHER>', 'directory of the new log; empty, or not there yet')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark wal repair /var/lib/orders/wal --to /var/lib/orders/wal-repaired
  tidemark wal repair --json wal --to saved | jq .lost`,
    )
    .action(async (dir: string, raw: { readonly to: string; readonly json?: true }) => {
      const { saveWal } = await import('../actions/walRepair.ts');
      await saveWal({ dir, to: raw.to, json: raw.json === true }, context);
      context.finish(exitCodes.done);
    });
}
