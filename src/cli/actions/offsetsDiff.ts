import { isReceiverTopic } from '../../model/index.ts';
import {
  type ComparedPosition,
  comparePositions,
  type OpenProgress,
  type PositionDifference,
  readImport,
} from '../../operations/index.ts';
import { csvText } from '../csv.ts';
import { type ExitCode, exitCodeOf, exitCodes } from '../exitCodes.ts';
import { type CommandContext, jsonLine } from '../host.ts';
import { readInput } from '../inputFile.ts';
import type { PlaceArguments } from '../placeOptions.ts';
import { choiceOf, progressSource, storeSource, withOpen } from '../progress.ts';
import { textTable } from '../table.ts';
import { usageError } from '../usage.ts';

/** What the positions are compared with. */
export type OtherSide =
  /** Undefined: the group of the pipeline. */
  | { readonly kind: 'group'; readonly name: string | undefined }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'place'; readonly place: PlaceArguments };

export interface DiffCommand extends PlaceArguments {
  readonly against: OtherSide;
  /** Equal ones too. */
  readonly all: boolean;
  readonly form: 'table' | 'json' | 'csv';
}

interface Side {
  readonly name: string;
  readonly positions: readonly ComparedPosition[];
  /** Whether what receivers number can be in there at all. */
  readonly knowsReceivers: boolean;
}

/** Compares positions of two places: exit code 5 where they differ. */
export async function diffOffsets(command: DiffCommand, context: CommandContext): Promise<ExitCode> {
  const { against } = command;
  // Before anything is connected to.
  const text = against.kind === 'file' ? await readInput('--against-file', against.file) : '';
  const source = await (against.kind === 'group' ? progressSource : storeSource)(command, context);
  const { left, right } = await withOpen(source, 'look', async (progress) => {
    const [left, right] = await Promise.all([
      sideOf(progress, command.raw.group !== undefined),
      otherSide(progress, against, text, context),
    ]);
    return { left, right };
  });
  const isKept = (of: ComparedPosition) => !isReceiverTopic(of.topic) || (left.knowsReceivers && right.knowsReceivers);
  const differences = comparePositions(left.positions.filter(isKept), right.positions.filter(isKept), {
    ...{ choice: choiceOf(command.raw), pipeline: left.name },
  });
  print(left, right, differences, command, context);
  return differences.every(({ isEqual }) => isEqual) ? exitCodes.done : exitCodeOf({ kind: 'checkFailed' });
}

async function sideOf({ store, pipeline, place }: OpenProgress, isGroup: boolean): Promise<Side> {
  const rows = await store.read();
  return {
    name: isGroup ? `group ${pipeline}` : `${pipeline} (${place})`,
    positions: rows.map(({ topic, partition, nextOffset, topicId }) => ({
      ...{ topic, partition, offset: nextOffset, topicId },
    })),
    knowsReceivers: !isGroup,
  };
}

async function otherSide(
  { driver, groupId }: OpenProgress,
  against: OtherSide,
  text: string,
  context: CommandContext,
): Promise<Side> {
  switch (against.kind) {
    case 'file': {
      const name = against.file === '-' ? 'standard input' : against.file;
      const { positions } = readImport(text, name);
      const knowsReceivers = positions.some(({ topicId }) => topicId !== undefined);
      return { name, positions, knowsReceivers };
    }
    case 'place': {
      const isGroup = against.place.raw.group !== undefined;
      return withOpen(await storeSource(against.place, context), 'look', (progress) => sideOf(progress, isGroup));
    }
    case 'group': {
      const { name = groupId } = against;
      if (driver === undefined) throw usageError('--against-group', 'a consumer group needs the brokers', '--brokers');
      if (name === undefined) throw usageError('--against-group', 'the group is not known', 'give its name');
      const { kafkaGroupPlace } = await import('../../offsets/stores/kafkaGroup/index.ts');
      const source = { pipeline: name, place: kafkaGroupPlace(driver) };
      return withOpen(source, 'look', (progress) => sideOf(progress, true));
    }
  }
}

function print(
  left: Side,
  right: Side,
  differences: readonly PositionDifference[],
  { form, all }: DiffCommand,
  { out, err }: CommandContext,
): void {
  const different = differences.filter(({ isEqual }) => !isEqual);
  const shown = all ? differences : different;
  if (form === 'json') {
    const partitions = shown.map(({ isEqual, ...fields }) => fields);
    const counts = { compared: differences.length, different: different.length };
    out(jsonLine({ left: left.name, right: right.name, ...counts, partitions }));
    return;
  }
  const head = ['TOPIC', 'PARTITION', 'LEFT', 'RIGHT', 'DIFFERENCE'];
  const rows = (absent: string) =>
    shown.map((one) => [
      one.topic,
      String(one.partition),
      ...[one.left, one.right, one.difference].map((offset) => String(offset ?? absent)),
    ]);
  if (form === 'csv') {
    const names = head.map((name) => name.toLowerCase());
    out(csvText(names, rows('')));
  } else if (shown.length > 0) out(textTable(head, rows('-')));
  const others = shown.filter(({ otherTopic }) => otherTopic);
  for (const { topic, partition } of others) {
    err(
      `tidemark: ${topic}-${partition}: the topic was made again between the two, the offsets are of different logs\n`,
    );
  }
  err(
    `tidemark: ${different.length} of ${differences.length} partitions differ: left ${left.name}, right ${right.name}\n`,
  );
}
