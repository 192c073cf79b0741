import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { isReceiverTopic, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import { isMirrorMetadata, type StoredOffset } from '../offsets/index.ts';
import type { ApplyOptions } from './applyMoves.ts';
import type { Choice } from './choice.ts';
import { type MovePlan, needsBrokers, reset } from './movePlan.ts';
import { choiceOfPartitions, withoutPosition } from './partitionLists.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';

export interface CloneOptions extends ApplyOptions {
  readonly choice: Choice;
  /** The source is a consumer group. While it has members its offsets still move: refused, unless `allowActive`. */
  readonly fromGroup: boolean;
  readonly allowActive?: boolean | undefined;
  /** Overwrite positions that the target has. Default false: refused. */
  readonly replace?: boolean | undefined;
  /** Why, for the history. */
  readonly reason?: string | undefined;
  /** False: only the plan. */
  readonly execute: boolean;
}

/**
 * Plans to give `target` the positions of `source`, and with `execute` does so. The new rows get the ids the topics have now. A
 * partition without a position in the source gets none. Throws USAGE_INVALID for a source that is the target, without positions, or
 * a target that has some already; KAFKA_TOPIC_RECREATED for positions of a topic that was made again; GROUP_ACTIVE.
 */
export async function clonePositions(source: Progress, target: Progress, options: CloneOptions): Promise<MovePlan> {
  const { driver } = source;
  if (driver === undefined) throw needsBrokers();
  requireTwo(source, target);
  // Before its offsets are read: a member that leaves in between has committed for the last time before.
  const members = options.fromGroup ? await requireQuiet(source.pipeline, driver, options) : 0;
  const isMirror = options.fromGroup && (await holdsMirror(source.pipeline, driver));
  const found = (await readPositions(source, options.choice)).filter(hasRow);
  requireSameTopics(found);
  const { selected, positions, wanted, left } = await narrow(found, target, driver);
  if (wanted.length === 0) throw nothingThere(source);
  const overwritten = (rows: readonly StoredOffset[]) => {
    const present = new Set(rows.map(partitionKey));
    return wanted.filter((of) => present.has(partitionKey(of)));
  };
  const plan = await reset(selected, {
    ...{ choice: choiceOfPartitions(wanted), reason: options.reason, execute: options.execute, by: options.by },
    target: {
      ...{ to: 'offsets', of: sourceText(source, options.fromGroup) },
      offsets: new Map(wanted.map((of) => [partitionKey(of), of.row.nextOffset])),
    },
    beforeChange: async (rows) => {
      const [first] = options.replace === true ? [] : overwritten(rows);
      if (first !== undefined) throw hasPosition(first, target);
      await options.beforeChange?.(rows);
    },
  });
  const before = plan.moves.filter((move) => move.before !== undefined).length;
  const working = found.filter(({ row }) => row.owner !== null).length;
  const warnings = [
    ...(members === 0 ? [] : [`group ${source.pipeline} has ${count(members, 'member')}: its offsets still move`]),
    ...(working === 0
      ? []
      : [
          `${count(working, 'partition')} of ${source.pipeline} claimed by a process: what it commits from now on is not copied`,
        ]),
    ...(isMirror
      ? [`group ${source.pipeline} is the mirror of a ledger: it may be behind, or ahead after a restore`]
      : []),
    ...(before === 0 || plan.executed || options.replace
      ? []
      : [`${target.pipeline} has positions of ${count(before, 'partition')} already: --replace overwrites them`]),
    ...left.map(({ of, why }) => `${partitionName(of)}: ${why}, it is left out`),
    ...withoutPosition(positions, wanted),
  ];
  return { ...plan, warnings: [...warnings, ...plan.warnings] };
}

type Known = PartitionPosition & { readonly row: StoredOffset };

function hasRow(of: PartitionPosition): of is Known {
  return of.row !== undefined;
}

interface LeftOut {
  readonly of: TopicPartition;
  readonly why: string;
}

/** What the target takes of the source: what its options select, where it has options; else the topics that come. */
async function narrow(found: readonly Known[], target: Progress, driver: KafkaDriver) {
  const left: LeftOut[] = [];
  const present = found.filter((of) => {
    if (isReceiverTopic(of.topic)) left.push({ of, why: 'a receiver numbers its records itself' });
    else if (of.log === undefined) left.push({ of, why: 'the brokers do not have it' });
    else return true;
    return false;
  });
  const topics = [...new Set(present.map(({ topic }) => topic))];
  const selection = target.selection ?? { topics };
  const selected = { ...target, driver, selection };
  const positions = await readPositions(selected, []);
  const read = new Set(positions.map(partitionKey));
  const wanted = present.filter((of) => {
    if (read.has(partitionKey(of))) return true;
    left.push({ of, why: `pipeline ${target.pipeline} does not read it` });
    return false;
  });
  return { selected, positions, wanted, left };
}

function requireTwo(source: Progress, target: Progress): void {
  if (source.place !== target.place || source.pipeline !== target.pipeline) return;
  throw new TidemarkError('USAGE_INVALID', `${source.pipeline} cannot be cloned onto itself (${source.place})`, {
    hint: 'Give another name with --to-pipeline, or another place with --to-store.',
  });
}

async function requireQuiet(
  groupId: string,
  driver: KafkaDriver,
  { allowActive }: Pick<CloneOptions, 'allowActive'>,
): Promise<number> {
  const { members } = await driver.describeGroup(groupId);
  if (members.length === 0 || allowActive) return members.length;
  throw new TidemarkError(
    'GROUP_ACTIVE',
    `Consumer group ${groupId} has ${count(members.length, 'member')}: its offsets still move`,
    { hint: 'Stop its consumers first. --allow-active takes the offsets of this moment all the same.' },
  );
}

/** Copies of a ledger's positions, which nothing starts from unless somebody says so. */
async function holdsMirror(groupId: string, driver: KafkaDriver): Promise<boolean> {
  const committed = await driver.committedOffsets(groupId);
  return committed.some(({ metadata }) => isMirrorMetadata(metadata));
}

function requireSameTopics(found: readonly Known[]): void {
  const other = found.find(({ state }) => state === 'topic re-created');
  if (other === undefined) return;
  const { topic, partition } = other;
  throw new TidemarkError(
    'KAFKA_TOPIC_RECREATED',
    `Topic ${topic} was made again: the position of ${partitionName(other)} is of another log, nothing was cloned`,
    { topic, partition, hint: 'Reset the source first, or choose other topics with --topic.' },
  );
}

function nothingThere({ pipeline, place }: Progress): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `${pipeline} has no position that could be cloned (${place})`, {
    hint: 'tidemark offsets list shows what there is. A group’s offsets expire some time after its last member left.',
  });
}

function hasPosition(of: TopicPartition, { pipeline, place }: Progress): TidemarkError {
  const { topic, partition } = of;
  return new TidemarkError(
    'USAGE_INVALID',
    `${pipeline} has a position of ${partitionName(of)} already (${place}): nothing was changed`,
    { topic, partition, hint: '--replace overwrites what the target has.' },
  );
}

function sourceText({ pipeline, place }: Progress, fromGroup: boolean): string {
  return fromGroup ? `group ${pipeline}` : `pipeline ${pipeline} (${place})`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
