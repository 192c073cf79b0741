import type { Command } from 'commander';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { usageError, wholeNumber } from '../usage.ts';

interface RawSkip extends RawPlace {
  readonly offset?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly backup?: string;
  readonly execute?: true;
  readonly json?: true;
}

export function addOffsetsSkip(parent: Command, context: CommandContext): void {
  const command = parent
    .command('skip')
    .summary('pass over one record, or a range of offsets')
    .description(
      'Passes over exactly one record of one partition, or a range of offsets, and leaves a gap with its reason in the history. What the pipeline stands at is passed now; what lies ahead is passed when it comes there, also after a restart. Without --execute only the plan is shown.',
    );
  addPlaceOptions(command)
    .option('--offset <N>', 'offset of the record (default: the one the partition stands at)')
    .option('--until <N>', 'pass over a range: up to this offset, which is not passed')
    .option('--reason <TEXT>', 'why, for the history; needed with --execute')
    .option('--backup <FILE>', 'write the positions as they were to this file first')
    .option('--execute', 'do it; without it nothing is changed')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets skip --topic orders:3 orders.yaml
  tidemark offsets skip --topic orders:3 --offset 4711 --reason 'no customer' --execute orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawSkip) => {
      const fromOffset = raw.offset === undefined ? undefined : wholeNumber('--offset', raw.offset);
      const untilOffset = raw.until === undefined ? undefined : wholeNumber('--until', raw.until);
      const execute = raw.execute === true;
      if (execute && raw.reason === undefined) throw usageError('--reason', 'a gap needs a reason');
      if (raw.group !== undefined)
        throw usageError('--group', 'a consumer group keeps no gaps', 'use reset --to-offset');
      const { skipOffsets } = await import('../actions/offsetsSkip.ts');
      const options = { fromOffset, untilOffset, execute, reason: raw.reason ?? '', backup: raw.backup };
      context.finish(await skipOffsets({ file, raw, json: raw.json === true, ...options }, context));
    });
}
