import { bashScript } from './bash.ts';
import type { CompletedCommand } from './commandTree.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

/** A script for each shell, from the same tree. */
export const completionScripts = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
} as const satisfies Record<string, (commands: readonly CompletedCommand[]) => string>;

export type Shell = keyof typeof completionScripts;
