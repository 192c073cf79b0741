import { Command, CommanderError } from 'commander';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfigCheck } from './commands/configCheck.ts';
import { addConfigExplain } from './commands/configExplain.ts';
import { addConfigSchema } from './commands/configSchema.ts';
import { addOffsetsClone } from './commands/offsetsClone.ts';
import { addOffsetsDelete } from './commands/offsetsDelete.ts';
import { addOffsetsDescribe } from './commands/offsetsDescribe.ts';
import { addOffsetsDiff } from './commands/offsetsDiff.ts';
import { addOffsetsExport } from './commands/offsetsExport.ts';
import { addOffsetsHistory } from './commands/offsetsHistory.ts';
import { addOffsetsImport } from './commands/offsetsImport.ts';
import { addOffsetsLag } from './commands/offsetsLag.ts';
import { addOffsetsList } from './commands/offsetsList.ts';
import { addOffsetsPause } from './commands/offsetsPause.ts';
import { addOffsetsPeek } from './commands/offsetsPeek.ts';
import { addOffsetsReset } from './commands/offsetsReset.ts';
import { addOffsetsResume } from './commands/offsetsResume.ts';
import { addOffsetsSkip } from './commands/offsetsSkip.ts';
import { addOffsetsVerify } from './commands/offsetsVerify.ts';
import { addRun } from './commands/run.ts';
import { addWalInspect } from './commands/walInspect.ts';
import { addWalRepair } from './commands/walRepair.ts';
import { addWalVerify } from './commands/walVerify.ts';
import { errorText } from './errorOutput.ts';
import { type ExitCode, exitCodeOf, exitCodes } from './exitCodes.ts';
import type { CliHost, CommandContext } from './host.ts';

/** The command `tidemark` with every subcommand. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('tidemark')
    .description(
      'Kafka topics into PostgreSQL, every record exactly once: the offsets of a batch are committed in the same transaction as its rows.',
    )
    .version(context.version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText(
      'after',
      `
Examples:
  tidemark run orders.yaml
  tidemark config check orders.yaml

Exit codes: 0 done, 1 failed, 2 usage or config, 3 fenced, 4 data loss, 5 check failed, 130/143 second signal.`,
    );
  addRun(program, context);
  const config = program.command('config').summary('check, explain and describe configuration files');
  config.description('Looks at configuration files without connecting to anything.');
  addConfigCheck(config, context);
  addConfigExplain(config, context);
  addConfigSchema(config, context);
  const offsets = program.command('offsets').summary('see and move the offsets of pipelines');
  offsets.description('Shows and moves the offsets of pipelines, whether they run or not.');
  addOffsetsList(offsets, context);
  addOffsetsDescribe(offsets, context);
  addOffsetsLag(offsets, context);
  addOffsetsHistory(offsets, context);
  addOffsetsVerify(offsets, context);
  addOffsetsPeek(offsets, context);
  addOffsetsReset(offsets, context);
  addOffsetsPause(offsets, context);
  addOffsetsResume(offsets, context);
  addOffsetsSkip(offsets, context);
  addOffsetsExport(offsets, context);
  addOffsetsImport(offsets, context);
  addOffsetsDiff(offsets, context);
  addOffsetsClone(offsets, context);
  addOffsetsDelete(offsets, context);
  const wal = program.command('wal').summary('look at a write-ahead log, and save what is good of a damaged one');
  wal.description('Looks at the write-ahead log of a directory, whether it is in use or not, damaged or not.');
  addWalInspect(wal, context);
  addWalVerify(wal, context);
  addWalRepair(wal, context);
  addCompletion(program, context);
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.out(text),
      writeErr: (text) => context.err(text),
      // Errors are thrown, and printed in one place.
      outputError: () => {},
    });
  }
  return program;
}

/** A command and everything below it. */
export function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap((below) => withSubcommands(below))];
}

/** Runs the command line to its exit code; everything is written through the host. */
export async function runCli(args: readonly string[], host: CliHost): Promise<ExitCode> {
  let redact = (text: string) => text;
  let exitCode: ExitCode = exitCodes.done;
  const context: CommandContext = {
    ...host,
    redact: (text) => redact(text),
    finish: (code) => {
      exitCode = code;
    },
    hide: (more) => {
      const before = redact;
      redact = (text) => more(before(text));
    },
  };
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    const known = error instanceof CommanderError ? usageOf(error) : error;
    if (known !== undefined) context.err(errorText(known, args.includes('--json'), redact));
    if (known === undefined) return exitCodes.usage;
    return exitCodeOf({ kind: 'failed', code: isTidemarkError(known) ? known.code : undefined });
  }
}

/** Commander's complaint in our words; undefined when it printed the help because there was no subcommand. */
function usageOf(error: CommanderError): TidemarkError | undefined {
  if (error.code === 'commander.help') return undefined;
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
  return new TidemarkError('USAGE_INVALID', message, { hint: 'See tidemark --help.' });
}
