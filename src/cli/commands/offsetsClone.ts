import type { Command } from 'commander';
import type { OtherEnd } from '../actions/offsetsClone.ts';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { usageError } from '../usage.ts';

interface RawClone extends RawPlace {
  readonly toPipeline?: string;
  readonly toStore?: string;
  readonly toGroup?: string;
  readonly fromGroup?: string;
  readonly allowActive?: true;
  readonly replace?: true;
  readonly reason?: string;
  readonly backup?: string;
  readonly execute?: true;
  readonly json?: true;
}

export function addOffsetsClone(parent: Command, context: CommandContext): void {
  const command = parent
    .command('clone')
    .summary('copy positions to another pipeline, to a group, or from one')
    .description(
      'Copies the positions of a pipeline under a new name (--to-pipeline) or into a consumer group (--to-group), or gives the pipeline those of a group (--from-group): the way in from another consumer, and back. Shows the plan, and with --execute applies it; the source stays as it is. What has no position in the source gets none. A group can only be written while it has no members.',
    );
  addPlaceOptions(command)
    .option('--to-pipeline <NAME>', 'the new pipeline')
    .option('--to-store <URL>', 'ledger of the new pipeline, with --to-pipeline (default: where the old one is)')
    .option('--to-group <NAME>', 'into this consumer group')
    .option('--from-group <NAME>', 'from this consumer group into the pipeline')
    .option('--allow-active', 'also from a group that has members: its offsets of this moment')
    .option('--replace', 'overwrite positions that are there already')
    .option('--reason <TEXT>', 'why, for the history')
    .option('--backup <FILE>', 'write the positions that are overwritten to this file first')
    .option('--execute', 'apply the plan; without it nothing is changed')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets clone --from-group billing --execute orders.yaml
  tidemark offsets clone --to-pipeline orders-v2 orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawClone) => {
      const end = otherEndOf(raw);
      const { cloneOffsets } = await import('../actions/offsetsClone.ts');
      const flags = {
        allowActive: raw.allowActive === true,
        replace: raw.replace === true,
        execute: raw.execute === true,
        json: raw.json === true,
      };
      const { reason, backup } = raw;
      context.finish(await cloneOffsets({ file, raw, end, reason, backup, ...flags }, context));
    });
}

const ways = '--to-pipeline, --to-group or --from-group';

function otherEndOf({ toPipeline, toStore: store, toGroup, fromGroup, group }: RawClone): OtherEnd {
  const ends: OtherEnd[] = [];
  if (toPipeline !== undefined) ends.push({ kind: 'toPipeline', name: toPipeline, store });
  if (toGroup !== undefined) ends.push({ kind: 'toGroup', name: toGroup });
  if (fromGroup !== undefined) ends.push({ kind: 'fromGroup', name: fromGroup });
  const [end, ...others] = ends;
  if (end === undefined) throw usageError('clone', 'nothing says where to, or where from', `give one of ${ways}`);
  if (others.length > 0) throw usageError('clone', 'more than one other end', `give one of ${ways}`);
  if (store !== undefined && end.kind !== 'toPipeline') throw usageError('--to-store', 'it goes with --to-pipeline');
  if (group !== undefined && end.kind === 'fromGroup')
    throw usageError('--from-group', 'excludes --group', '--group A --to-group B copies a group');
  if (group !== undefined && end.kind === 'toPipeline' && store === undefined)
    throw usageError('--to-store', 'needed with --group', 'or: FILE --from-group NAME');
  return end;
}
