import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { outputForm } from '../usage.ts';

interface RawList {
  readonly store?: string;
  readonly schema?: string;
  readonly brokers?: string;
  readonly json?: true;
  readonly csv?: true;
}

export function addOffsetsList(parent: Command, context: CommandContext): void {
  parent
    .command('list')
    .summary('list the pipelines of a store and the consumer groups of a cluster')
    .description(
      'Lists the pipelines whose offsets a store has and, with brokers, the consumer groups of the cluster: topics, partitions, who works on them, the lag of all partitions together, and the age of the last commit. Only reads.',
    )
    .argument('[FILE]', 'configuration file of a pipeline: its store and its brokers')
    .option('--store <URL>', 'in place of FILE: where the ledgers are, postgres://, redis:// or file:///')
    .option('--schema <NAME>', 'schema of the ledgers in PostgreSQL, with --store (default: tidemark)')
    .option('--brokers <LIST>', 'host:port,…: the brokers, in place of those of FILE')
    .option('--json', 'as JSON on standard output')
    .option('--csv', 'as CSV on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets list orders.yaml
  tidemark offsets list --store postgres://localhost/orders --brokers localhost:9092 --json`,
    )
    .action(async (file: string | undefined, raw: RawList) => {
      const form = outputForm(raw);
      const { listOffsets } = await import('../actions/offsetsList.ts');
      context.finish(await listOffsets({ file, raw, form }, context));
    });
}
