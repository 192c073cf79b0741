import { TidemarkError } from '../errors.ts';
import { comparePartitions, partitionKey, type TopicPartition } from '../model/index.ts';
import { type Choice, chosen, requireFound } from './choice.ts';

/** A position to be compared, from wherever it comes. */
export interface ComparedPosition extends TopicPartition {
  readonly offset: bigint;
  /** Undefined where it is not known. */
  readonly topicId?: string | undefined;
}

export interface PositionDifference extends TopicPartition {
  /** Undefined: only the other side has the partition. */
  readonly left: bigint | undefined;
  readonly right: bigint | undefined;
  /** Right − left; undefined where it means nothing: one side is missing, or they are of different topics of this name. */
  readonly difference: bigint | undefined;
  /** The topic was made again between the two: equal numbers are of different logs. */
  readonly otherTopic: boolean;
  readonly isEqual: boolean;
}

export interface CompareOptions {
  readonly choice: Choice;
  /** For people: whose positions these are. */
  readonly pipeline: string;
}

/**
 * Every chosen partition of either side, by topic and partition. Throws USAGE_INVALID for a choice that finds nothing, and where
 * neither side has anything: two mistakes must not pass for two equals. Pure.
 */
export function comparePositions(
  left: readonly ComparedPosition[],
  right: readonly ComparedPosition[],
  { choice, pipeline }: CompareOptions,
): readonly PositionDifference[] {
  const lefts = byKey(left);
  const rights = byKey(right);
  const places = [...new Map([...lefts, ...rights]).values()].filter((of) => chosen(choice, of));
  requireFound(choice, places, pipeline);
  if (places.length === 0) throw nothingThere(pipeline);
  return places.sort(comparePartitions).map((of) => {
    const { topic, partition } = of;
    const [onLeft, onRight] = [lefts.get(partitionKey(of)), rights.get(partitionKey(of))];
    const otherTopic = isOther(onLeft?.topicId, onRight?.topicId);
    const isComparable = onLeft !== undefined && onRight !== undefined && !otherTopic;
    const difference = isComparable ? onRight.offset - onLeft.offset : undefined;
    return {
      ...{ topic, partition, left: onLeft?.offset, right: onRight?.offset },
      ...{ difference, otherTopic, isEqual: difference === 0n },
    };
  });
}

function byKey(positions: readonly ComparedPosition[]) {
  return new Map(positions.map((one) => [partitionKey(one), one]));
}

function nothingThere(pipeline: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `Neither ${pipeline} nor what it is compared with has a position`, {
    hint: 'tidemark offsets list shows what there is.',
  });
}

/** A group knows no id of a topic that is gone: it says the empty one. */
function isOther(left = '', right = ''): boolean {
  return left !== '' && right !== '' && left !== right;
}
