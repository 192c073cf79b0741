import type { Argument, Command, Option } from 'commander';
import { exitCodes, exitMeanings } from '../../src/cli/exitCodes.ts';
import type { CommandContext } from '../../src/cli/host.ts';
import { createProgram, withSubcommands } from '../../src/cli/program.ts';

/** Every subcommand with its arguments, options and examples: the generated part of docs/cli.md. */
export function commandReference(): string {
  return leafCommands().map(commandSection).join('\n\n');
}

/** The table of exit codes. */
export function exitCodeReference(): string {
  const rows = Object.entries(exitCodes).map(
    ([name, code]) => `| ${code} | ${exitMeanings[name as keyof typeof exitMeanings]} |`,
  );
  return ['| exit code | meaning |', '|---|---|', ...rows].join('\n');
}

function leafCommands(): readonly Command[] {
  let written = '';
  const context: CommandContext = {
    environment: {},
    version: '',
    isErrTty: false,
    out: (text) => {
      written += text;
    },
    err: () => {},
    exit: () => {
      throw new Error('the reference runs no command');
    },
    finish: () => {},
    hide: () => {},
    redact: (text) => text,
  };
  const commands = withSubcommands(createProgram(context)).filter(({ commands: below }) => below.length === 0);
  for (const command of commands) {
    written = '';
    command.outputHelp();
    examples.set(command, (written.split('Examples:\n')[1] ?? '').trimEnd());
  }
  return commands;
}

const examples = new Map<Command, string>();

function commandSection(command: Command): string {
  const rows = [...command.registeredArguments.map(argumentRow), ...command.options.map(optionRow)];
  return [
    `### \`${fullName(command)}\``,
    '',
    command.description(),
    '',
    '```',
    `${fullName(command)} ${command.usage()}`,
    '```',
    '',
    '| argument, option | default | meaning |',
    '|---|---|---|',
    ...rows,
    '',
    'Examples:',
    '',
    '```sh',
    ...exampleLines(command),
    '```',
  ].join('\n');
}

/** The help may say more below its examples. */
function exampleLines(command: Command): readonly string[] {
  const lines = (examples.get(command) ?? '').split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith('tidemark '));
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function argumentRow(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '…' : ''}`;
  return `| \`${name}\` | ${argument.required ? 'required' : ''} | ${argument.description} |`;
}

function optionRow({ flags, description, defaultValue, negate }: Option): string {
  const isShown = defaultValue !== undefined && !negate && !(Array.isArray(defaultValue) && defaultValue.length === 0);
  return `| \`${flags}\` | ${isShown ? `\`${String(defaultValue)}\`` : ''} | ${description.replaceAll('|', '\\|')} |`;
}
