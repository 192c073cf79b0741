import type { Command } from 'commander';
import type { OtherSide } from '../actions/offsetsDiff.ts';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { usageError } from '../usage.ts';

interface RawDiff extends RawPlace {
  readonly against?: string;
  readonly againstGroup?: string | true;
  readonly againstFile?: string;
  readonly againstStore?: string;
  readonly againstPipeline?: string;
  readonly all?: true;
  readonly csv?: true;
  readonly json?: true;
}

export function addOffsetsDiff(parent: Command, context: CommandContext): void {
  const command = parent
    .command('diff')
    .summary('compare positions of two places')
    .description(
      'Compares positions partition by partition: those of a pipeline or a group, LEFT, with those of a consumer group, an export, or another pipeline, RIGHT. DIFFERENCE is right minus left; - where one side has no position, or where the topic was made again between the two. Exit code 5 when they differ. Only reads; brokers are needed for consumer groups only.',
    );
  addPlaceOptions(command)
    .option('--against <FILE>', 'configuration file of another pipeline')
    .option('--against-group [NAME]', 'a consumer group (default: that of the pipeline)')
    .option(
      '--against-file <FILE>',
      'what offsets export or kafka-consumer-groups.sh --export wrote; - = standard input',
    )
    .option('--against-store <URL>', 'another ledger, with --against-pipeline')
    .option('--against-pipeline <NAME>', 'name of the pipeline in --against-store')
    .option('--all', 'partitions that are equal too')
    .option('--csv', 'as CSV on standard output')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets diff orders.yaml --against-group
  tidemark offsets diff --all --against-file yesterday.json orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawDiff) => {
      if (raw.csv && raw.json) throw usageError('--csv', 'excludes --json');
      const against = otherSideOf(raw);
      const form = raw.json ? 'json' : raw.csv ? 'csv' : 'table';
      const { diffOffsets } = await import('../actions/offsetsDiff.ts');
      context.finish(await diffOffsets({ file, raw, against, all: raw.all === true, form }, context));
    });
}

const ways =
  '--against FILE, --against-group [NAME], --against-file FILE, or --against-store URL --against-pipeline NAME';

function otherSideOf(raw: RawDiff): OtherSide {
  const { against, againstGroup, againstFile, againstStore: store, againstPipeline: pipeline } = raw;
  const sides: OtherSide[] = [];
  if (against !== undefined) sides.push({ kind: 'place', place: { file: against, raw: {} } });
  if (againstGroup !== undefined) sides.push({ kind: 'group', name: againstGroup === true ? undefined : againstGroup });
  if (againstFile !== undefined) sides.push({ kind: 'file', file: againstFile });
  if (store !== undefined && pipeline === undefined) throw usageError('--against-pipeline', 'a name is needed');
  if (store === undefined && pipeline !== undefined) throw usageError('--against-store', 'a URL is needed');
  if (store !== undefined && pipeline !== undefined)
    sides.push({ kind: 'place', place: { file: undefined, raw: { store, pipeline } } });
  const [side, ...others] = sides;
  if (side === undefined) throw usageError('--against', 'nothing says with what', `give one of ${ways}`);
  if (others.length > 0) throw usageError('--against', 'more than one other side', `give one of ${ways}`);
  return side;
}
