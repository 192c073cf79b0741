import type { KafkaDriver } from '../kafka/index.ts';
import { isReceiverTopic, partitionKey, partitionName } from '../model/index.ts';
import type { ApplyOptions } from './applyMoves.ts';
import { type ImportProblem, refusedFile } from './importProblems.ts';
import { type ImportedPosition, parseImport } from './importText.ts';
import { type MovePlan, needsBrokers, reset } from './movePlan.ts';
import { choiceOfPartitions, withoutPosition } from './partitionLists.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress, TopicSelection } from './progress.ts';

export interface ImportOptions extends ApplyOptions {
  /** What the file holds: JSON of `exportText`, or Kafka's CSV. */
  readonly text: string;
  /** For people: the file's name. */
  readonly name: string;
  /** Take offsets of a topic that was made again since. Default false: refused, they are of another log. */
  readonly adoptTopic?: boolean | undefined;
  /** Why, for the history. */
  readonly reason?: string | undefined;
  /** False: only the plan. */
  readonly execute: boolean;
}

/**
 * Plans to bring the partitions of a file to its offsets, and with `execute` does so, like `reset`. Partitions that have no position
 * yet get one. Everything in the file is checked first: throws USAGE_INVALID with all that is wrong, and then nothing is
 * changed.
 */
export async function importPositions(progress: Progress, options: ImportOptions): Promise<MovePlan> {
  const { driver, pipeline } = progress;
  if (driver === undefined) throw needsBrokers();
  const file = parseImport(options.text);
  const wanted = file.positions.filter(({ topic }) => !isReceiverTopic(topic));
  const reading = { ...progress, selection: await selectionOf(progress.selection, wanted, driver) };
  const positions = await readPositions(reading, []);
  const problems = [...file.problems, ...unknown(wanted, positions, pipeline, options.adoptTopic === true)];
  if (problems.length > 0) throw refusedFile(options.name, problems);
  if (wanted.length === 0)
    throw refusedFile(options.name, [
      { place: 'positions', what: 'only of receivers: their logs number these records' },
    ]);
  const planned = await reset(reading, {
    ...{ choice: choiceOfPartitions(wanted), reason: options.reason, execute: options.execute },
    ...{ by: options.by, beforeChange: options.beforeChange },
    target: {
      ...{ to: 'offsets', of: options.name },
      offsets: new Map(wanted.map((one) => [partitionKey(one), one.offset])),
    },
  });
  const warnings = [
    ...(file.pipeline === undefined || file.pipeline === pipeline
      ? []
      : [`${options.name} was exported from pipeline ${file.pipeline}`]),
    ...file.positions
      .filter(({ topic }) => isReceiverTopic(topic))
      .map((one) => `${partitionName(one)}: a receiver numbers its records itself, it stays as it is`),
    ...withoutPosition(positions, wanted),
  ];
  return { ...planned, warnings: [...warnings, ...planned.warnings] };
}

/** A pipeline that is only named takes what the file has, of the topics that are there. */
async function selectionOf(
  selection: TopicSelection | undefined,
  wanted: readonly ImportedPosition[],
  driver: KafkaDriver,
): Promise<TopicSelection> {
  if (selection !== undefined) return selection;
  const present = new Set(await driver.listTopics());
  return { topics: [...new Set(wanted.map(({ topic }) => topic))].filter((topic) => present.has(topic)) };
}

/** What the brokers, or the options of the pipeline, know nothing of. */
function unknown(
  wanted: readonly ImportedPosition[],
  positions: readonly PartitionPosition[],
  pipeline: string,
  adoptTopic: boolean,
): readonly ImportProblem[] {
  const live = positions.filter(({ log }) => log !== undefined);
  const known = new Map(live.map((of) => [partitionKey(of), of]));
  const topics = new Set(live.map(({ topic }) => topic));
  return wanted.flatMap((one): ImportProblem[] => {
    const { place, topic, partition, topicId } = one;
    const current = known.get(partitionKey(one))?.log?.topicId;
    if (current === undefined) {
      const what = topics.has(topic) ? `topic ${topic} has no partition ${partition}` : `there is no topic ${topic}`;
      return [{ place, what: `${what}, or pipeline ${pipeline} does not read it` }];
    }
    if (topicId === undefined || topicId === current || adoptTopic) return [];
    const what = `${partitionName(one)}: topic ${topic} was made again since (${topicId}, now ${current}): the offset is of another log`;
    return [{ place, what, isOfOtherTopic: true }];
  });
}
