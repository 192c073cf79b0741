import type { Command } from 'commander';
import { exitCodes } from '../exitCodes.ts';
import type { CommandContext } from '../host.ts';

export function addConfigSchema(parent: Command, context: CommandContext): void {
  parent
    .command('schema')
    .summary('print the JSON schema of configuration files')
    .description('Prints the JSON schema (draft 7) of configuration files, for editors, or writes it to FILE.')
    .argument('[FILE]', 'file to write, *.json; without it the schema goes to standard output')
    .option('--json', 'errors as JSON on standard error; the schema is JSON anyway')
    .addHelpText(
      'after',
      `
Examples:
  tidemark config schema tidemark.schema.json
  tidemark config schema | jq .properties.source

A first line such as this one makes editors use it:
  # yaml-language-server: $schema=./tidemark.schema.json`,
    )
    .action(async (file: string | undefined) => {
      const { schemaTo } = await import('../actions/configSchema.ts');
      await schemaTo(file, context);
      context.finish(exitCodes.done);
    });
}
