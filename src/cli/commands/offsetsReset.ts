import type { Command } from 'commander';
import type { AskedTarget } from '../actions/offsetsReset.ts';
import type { CommandContext } from '../host.ts';
import { addPlaceOptions, type RawPlace } from '../placeOptions.ts';
import { parseDuration, parseTimestamp } from '../times.ts';
import { signedNumber, usageError, wholeNumber } from '../usage.ts';

interface RawReset extends RawPlace {
  readonly toEarliest?: true;
  readonly toLatest?: true;
  readonly toOffset?: string;
  readonly shiftBy?: string;
  readonly toDatetime?: string;
  readonly byDuration?: string;
  readonly toGroup?: string | true;
  readonly onlyLagging?: true;
  readonly reason?: string;
  readonly backup?: string;
  readonly execute?: true;
  readonly json?: true;
}

export function addOffsetsReset(parent: Command, context: CommandContext): void {
  const command = parent
    .command('reset')
    .summary('move a pipeline to other offsets')
    .description(
      'Shows for each partition where it is and where it would go, and with --execute moves it. Processes that run are fenced and go on from the new offsets; records that are read again go into the sink once more, those that are passed over never do. What was there before stays in the history.',
    );
  addPlaceOptions(command)
    .option('--to-earliest', 'to the log start')
    .option('--to-latest', 'to the last stable offset')
    .option('--to-offset <N>', 'to this offset')
    .option('--shift-by <N>', 'by so many offsets, negative = back')
    .option('--to-datetime <TIME>', 'to the first record of this time or later, 2026-01-31T12:00:00Z')
    .option('--by-duration <DURATION>', 'to the first record of so long ago or later, PT36H or 36h')
    .option('--to-group [NAME]', 'to what a consumer group has committed (default: that of the pipeline)')
    .option('--only-lagging', 'leave out partitions that have nothing to do')
    .option('--reason <TEXT>', 'why, for the history')
    .option('--backup <FILE>', 'write the positions as they were to this file first')
    .option('--execute', 'apply the plan; without it nothing is changed')
    .option('--json', 'as JSON on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tidemark offsets reset --to-datetime 2026-01-31T12:00:00Z orders.yaml
  tidemark offsets reset --topic orders:0-3 --shift-by -1000 --backup before.json --execute orders.yaml`,
    )
    .action(async (file: string | undefined, raw: RawReset) => {
      const target = targetOf(raw);
      const { resetOffsets } = await import('../actions/offsetsReset.ts');
      const { reason, backup } = raw;
      const options = { target, reason, backup, execute: raw.execute === true, onlyLagging: raw.onlyLagging === true };
      context.finish(await resetOffsets({ file, raw, json: raw.json === true, ...options }, context));
    });
}

const targetFlags = [
  '--to-earliest',
  '--to-latest',
  '--to-offset',
  '--shift-by',
  '--to-datetime',
  '--by-duration',
  '--to-group',
];

function targetOf(raw: RawReset): AskedTarget {
  const targets: AskedTarget[] = [];
  if (raw.toEarliest) targets.push({ to: 'earliest' });
  if (raw.toLatest) targets.push({ to: 'latest' });
  if (raw.toOffset !== undefined) targets.push({ to: 'offset', offset: wholeNumber('--to-offset', raw.toOffset) });
  if (raw.shiftBy !== undefined) targets.push({ to: 'shift', by: signedNumber('--shift-by', raw.shiftBy) });
  if (raw.toDatetime !== undefined) {
    targets.push({ to: 'time', timestampMs: parseTimestamp('--to-datetime', raw.toDatetime) });
  }
  if (raw.byDuration !== undefined) {
    targets.push({ to: 'time', timestampMs: Date.now() - parseDuration('--by-duration', raw.byDuration) });
  }
  if (raw.toGroup !== undefined) {
    targets.push(raw.toGroup === true ? { to: 'ownGroup' } : { to: 'group', groupId: raw.toGroup });
  }
  const [target, ...others] = targets;
  if (target === undefined) throw usageError('reset', 'nothing says where to', `give one of ${targetFlags.join(', ')}`);
  if (others.length > 0) throw usageError('reset', 'more than one target', `give one of ${targetFlags.join(', ')}`);
  return target;
}
