import type { Command } from 'commander';
import type { LagCommand } from '../actions/offsetsLag.ts';
import type { CommandContext } from '../host.ts';
import { wholeNumber } from '../usage.ts';

interface RawLag {
  readonly json?: true;
  readonly topic: readonly string[];
  readonly failOver?: string;
}

export function addOffsetsLag(parent: Command, context: CommandContext): void {
  parent
    .command('lag')
    .summary('show how far a pipeline is behind')
    .description(
      'Shows for each partition the committed offset of the ledger, the last stable offset of the log, and the lag between them. Only reads, and works whether the pipeline runs or not.',
    )
    .argument('<FILE>', 'configuration file of the pipeline')
    .option('--topic <TOPIC>', 'only this topic; can be given several times', collect, [])
    .option('--fail-over <N>', 'exit code 5 when a partition lags by more than N offsets, or its lag is unknown')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets lag orders.yaml
  tidemark offsets lag --topic orders --fail-over 100000 --json orders.yaml`,
    )
    .action(async (file: string, raw: RawLag) => {
      const command = parseLag(file, raw);
      const { showLag } = await import('../actions/offsetsLag.ts');
      context.finish(await showLag(command, context));
    });
}

function parseLag(file: string, raw: RawLag): LagCommand {
  const failOver = raw.failOver === undefined ? undefined : wholeNumber('--fail-over', raw.failOver);
  return { file, json: raw.json === true, topics: raw.topic, failOver };
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
