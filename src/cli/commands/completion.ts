import { Argument, type Command } from 'commander';
import { exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';

export function addCompletion(parent: Command, context: CommandContext): void {
  parent
    .command('completion')
    .summary('print a script that completes command lines in a shell')
    .description(
      'Prints a script for bash, zsh or fish that completes subcommands, options, their values where they are words, and names of files.',
    )
    .addArgument(new Argument('<SHELL>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']))
    .option('--json', 'errors as JSON on standard error')
    .addHelpText(
      'after',
      `
Examples:
  tidemark completion bash > /etc/bash_completion.d/tidemark
  tidemark completion fish > ~/.config/fish/completions/tidemark.fish

For one user, in the file that the shell reads at its start:
  ~/.bashrc   source <(tidemark completion bash)
  ~/.zshrc    source <(tidemark completion zsh)     (below compinit)`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { commandTree } = await import('../completion/commandTree.ts');
      const { completionScripts } = await import('../completion/scripts.ts');
      context.out(completionScripts[shell](commandTree(parent)));
      context.finish(exitCodes.done);
    });
}
