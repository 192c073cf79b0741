import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';

export function addConfigCheck(parent: Command, context: CommandContext): void {
  parent
    .command('check')
    .summary('check configuration files without connecting to anything')
    .description(
      'Checks configuration files: YAML, environment variables, every option, and that the transform loads. Nothing is connected to. Every problem is reported at once, with file, line and column.',
    )
    .argument('<FILE...>', 'configuration files')
    .option('--json', 'results as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark config check orders.yaml
  tidemark config check --json pipelines/*.yaml`,
    )
    .action(async (files: string[], raw: { readonly json?: true }) => {
      const { checkFiles } = await import('../actions/configCheck.ts');
      context.finish(await checkFiles({ files, json: raw.json === true }, context));
    });
}
