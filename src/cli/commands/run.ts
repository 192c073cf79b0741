import type { Command } from 'commander';
import type { LogLevel } from '../../daemon/index.ts';
import type { RunCommand } from '../actions/run.ts';
import type { CommandContext } from '../host.ts';
import { oneOf, usageError } from '../usage.ts';

/** As pino's; written out because loading the daemon only to print help would cost more than everything else. */
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const satisfies readonly LogLevel[];

/** What the command line says, before it is looked at. */
interface RawRun {
  readonly untilEnd?: true;
  readonly once?: true;
  readonly takeOver?: true;
  readonly firstStart?: true;
  /** commander: `--no-standby` makes it false. */
  readonly standby: boolean;
  readonly json?: true;
  readonly logLevel: string;
}

export function addRun(parent: Command, context: CommandContext): void {
  parent
    .command('run')
    .summary('run the pipelines of configuration files')
    .description(
      'Runs the pipeline of each FILE in this process until a signal stops it. The first SIGTERM or SIGINT stops gracefully, the second at once. Logs go to standard error, as text on a terminal and as JSON lines elsewhere.',
    )
    .argument('<FILE...>', 'configuration files, one pipeline each')
    .option('--until-end', 'stop when everything readable at the start is committed')
    .option('--once', 'plan one batch, commit it, stop')
    .option('--take-over', 'claim partitions of a live process instead of standing by')
    .option('--no-standby', 'end with exit code 3 when another process owns a partition')
    .option(
      '--first-start',
      'begin partitions without an offset in the group of store.type kafka by the options of source',
    )
    .option('--json', 'logs and errors as JSON lines, the final report as JSON on standard output')
    .option('--log-level <LEVEL>', `one of ${logLevels.join(', ')}`, 'info')
    .addHelpText(
      'after',
      `
Examples:
  tidemark run orders.yaml
  tidemark run --until-end --json orders.yaml customers.yaml > report.json`,
    )
    .action(async (files: string[], raw: RawRun) => {
      const command = parseRun(files, raw);
      const { runFiles } = await import('../actions/run.ts');
      context.finish(await runFiles(command, context));
    });
}

function parseRun(files: readonly string[], raw: RawRun): RunCommand {
  if (raw.untilEnd && raw.once) throw usageError('--once', 'excludes --until-end', 'allowed: one of them');
  const until = raw.untilEnd ? 'end' : raw.once ? 'batch' : 'stopped';
  return {
    files,
    start: { until, takeOver: raw.takeOver === true, standby: raw.standby, firstStart: raw.firstStart === true },
    json: raw.json === true,
    logLevel: oneOf('--log-level', raw.logLevel, logLevels),
  };
}
