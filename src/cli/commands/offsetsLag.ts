import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { usageError, wholeNumber } from '../usage.ts';

interface RawLag extends RawPlace {
  readonly json?: true;
  readonly partitions?: true;
  readonly watch?: string | true;
  readonly failOver?: string;
}

const watchDefaultMs = 2000;

export function addOffsetsLag(parent: Command, context: CommandContext): void {
  const command = parent
    .command('lag')
    .summary('show how far a pipeline is behind')
    .description(
      'Shows for each topic, and for all of them, how far the stored offsets are behind the last stable offsets of the log, in offsets and in seconds. Only reads, and works whether the pipeline runs or not.',
    );
  addPlaceOptions(command)
    .option('--partitions', 'a line for each partition')
    .option('--watch [SECONDS]', 'look again and again until SIGINT (default: every 2 seconds)')
    .option('--fail-over <N>', 'exit code 5 when a partition lags by more than N offsets, or its lag is unknown')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets lag orders.yaml --watch
  tidemark offsets lag --topic orders --fail-over 100000 --json orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawLag) => {
      const failOver = raw.failOver === undefined ? undefined : wholeNumber('--fail-over', raw.failOver);
      const watchMs = watchInterval(raw.watch);
      if (watchMs !== undefined && failOver !== undefined) {
        throw usageError('--watch', 'excludes --fail-over', 'allowed: one of them');
      }
      const { showLag } = await import('../actions/offsetsLag.ts');
      const options = { byPartition: raw.partitions === true, json: raw.json === true, failOver, watchMs };
      context.finish(await showLag({ file, raw, ...options }, context));
    });
}

function watchInterval(watch: string | true | undefined): number | undefined {
  if (watch === undefined || watch === true) return watch && watchDefaultMs;
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(watch) ? Number(watch) : 0;
  if (seconds === 0)
    throw usageError('--watch', `not a number of seconds (${watch})`, 'allowed: FILE --watch, --watch 5');
  return seconds * 1000;
}
