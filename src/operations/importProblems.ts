import { TidemarkError } from '../errors.ts';

/** What is wrong in a file, and where. */
export interface ImportProblem {
  /** Where in the file: `line 3`, `positions[2]`. */
  readonly place: string;
  readonly what: string;
  /** The offset is one of a topic that is gone, and a topic of its name is there. */
  readonly isOfOtherTopic?: true;
}

/** A screenful: whoever has more wrong has one thing wrong. */
const shownMax = 100;

/** USAGE_INVALID with every problem, a line each, in the order of the file. */
export function refusedFile(name: string, problems: readonly ImportProblem[]): TidemarkError {
  const many = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const numbered = problems.map((problem) => ({ problem, at: Number(/\d+/.exec(problem.place)?.[0] ?? 0) }));
  const inOrder = numbered.sort((one, other) => one.at - other.at).map(({ problem }) => problem);
  const lines = inOrder.slice(0, shownMax).map(({ place, what }) => `${name}, ${place}: ${what}`);
  if (problems.length > shownMax) lines.push(`and ${problems.length - shownMax} more`);
  const onlyOtherTopics = problems.every(({ isOfOtherTopic }) => isOfOtherTopic);
  return new TidemarkError('USAGE_INVALID', [`${name} is refused as a whole: ${many}`, ...lines].join('\n'), {
    path: name,
    hint: onlyOtherTopics
      ? '--adopt-topic takes these offsets all the same, if they are meant for the topic as it is now.'
      : 'Wanted is what tidemark offsets export writes, or lines of topic,partition,offset.',
  });
}
