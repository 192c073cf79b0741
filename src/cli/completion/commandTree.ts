import type { Command, Option } from 'commander';

/** A command as a shell needs to know it. */
export interface CompletedCommand {
  /** With the names above it: `tidemark offsets reset`. */
  readonly path: string;
  readonly subcommands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly CompletedOption[];
  /** Words an argument can be; empty: file names. */
  readonly words: readonly string[];
}

export interface CompletedOption {
  /** `--json`, `-h`. */
  readonly flags: readonly string[];
  readonly about: string;
  readonly needsValue: boolean;
  /** Words the value can be; empty: file names. */
  readonly words: readonly string[];
}

/** The command and everything below it. */
export function commandTree(command: Command, above = ''): readonly CompletedCommand[] {
  const path = `${above}${command.name()}`;
  const subcommands = command.commands.map((below) => ({ name: below.name(), about: below.summary() }));
  const help = { flags: ['-h', '--help'], about: 'print help', needsValue: false, words: [] } as const;
  const words = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  return [
    { path, subcommands, options: [...command.options.map(optionOf), help], words },
    ...command.commands.flatMap((below) => commandTree(below, `${path} `)),
  ];
}

function optionOf({ short, long, description, required, argChoices }: Option): CompletedOption {
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    about: description,
    needsValue: required,
    words: argChoices ?? listed(description),
  };
}

/** Options of few values say so in their help: "one of trace, debug, info". */
function listed(description: string): readonly string[] {
  return /^one of ([\w-]+(?:, [\w-]+)+)$/.exec(description)?.[1]?.split(', ') ?? [];
}
