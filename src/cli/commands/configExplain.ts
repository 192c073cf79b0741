import type { Command } from 'commander';
import { exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';

export function addConfigExplain(parent: Command, context: CommandContext): void {
  parent
    .command('explain')
    .summary('show every option in effect and where it comes from')
    .description(
      'Shows every option a configuration file comes to: what it says, what environment variables gave, and defaults. Secrets are shown as ***. The text is YAML that could be used again.',
    )
    .argument('<FILE>', 'configuration file')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark config explain orders.yaml
  tidemark config explain --json orders.yaml | jq .options.batch`,
    )
    .action(async (file: string, raw: { readonly json?: true }) => {
      const { explainFile } = await import('../actions/configExplain.ts');
      await explainFile({ file, json: raw.json === true }, context);
      context.finish(exitCodes.done);
    });
}
