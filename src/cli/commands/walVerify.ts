import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';

export function addWalVerify(parent: Command, context: CommandContext): void {
  parent
    .command('verify')
    .summary('check every byte of a write-ahead log')
    .description(
      'Reads all of a write-ahead log and checks it as an opening would, and that every entry of receiver mode can be read: exit code 5 and a line for each damage, with file and byte offset. A torn tail is what a crash leaves, and no damage. Only reads, and works on a log in use.',
    )
    .argument('<DIR>', 'directory of the log')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark wal verify /var/lib/orders/wal
  tidemark wal verify --json /var/lib/orders/wal | jq .damages`,
    )
    .action(async (dir: string, raw: { readonly json?: true }) => {
      const { verifyWal } = await import('../actions/walVerify.ts');
      context.finish(await verifyWal({ dir, json: raw.json === true }, context));
    });
}
