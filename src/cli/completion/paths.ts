import type { CompletedCommand } from './commandTree.ts';

/** Text that a shell takes as it is. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Commands below the first one, as patterns of a shell's `case`: the words that lead from one command to the next. */
export function steps(commands: readonly CompletedCommand[], between: string): string {
  return commands
    .slice(1)
    .map(({ path }) => quoted(path))
    .join(between);
}
