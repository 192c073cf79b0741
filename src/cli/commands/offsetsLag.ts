import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../progress.ts';
import { wholeNumber } from '../usage.ts';

interface RawLag extends RawPlace {
  readonly json?: true;
  readonly failOver?: string;
}

export function addOffsetsLag(parent: Command, context: CommandContext): void {
  const command = parent
    .command('lag')
    .summary('show how far a pipeline is behind')
    .description(
      'Shows for each partition the committed offset of the ledger, the last stable offset of the log, and the lag between them. Only reads, and works whether the pipeline runs or not.',
    );
  addPlaceOptions(command)
    .option('--fail-over <N>', 'exit code 5 when a partition lags by more than N offsets, or its lag is unknown')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets lag orders.yaml
  tidemark offsets lag --topic orders --fail-over 100000 --json orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawLag) => {
      const failOver = raw.failOver === undefined ? undefined : wholeNumber('--fail-over', raw.failOver);
      const { showLag } = await import('../actions/offsetsLag.ts');
      context.finish(await showLag({ file, raw, json: raw.json === true, failOver }, context));
    });
}
