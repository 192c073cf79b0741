import { TidemarkError } from '../errors.ts';
import { isReceiverTopic, type TopicPartition } from '../model/index.ts';

/** What operators narrow a command to: topics, or some partitions of one. Empty = everything. */
export type Choice = readonly ChosenTopic[];

export interface ChosenTopic {
  readonly topic: string;
  /** Undefined = all of its partitions. */
  readonly partitions: ReadonlySet<number> | undefined;
}

const partitionMax = 2 ** 31 - 1;
/** A typed range is expanded: more than any topic has is a slip. */
const expandedMax = 1_000_000;

/** `orders`, or `orders:0-3,7`. Throws USAGE_INVALID saying what is wrong. */
export function parseChosenTopic(text: string): ChosenTopic {
  // The topic of a receiver has a colon of its own: `receiver:clicks@…`.
  const colon = text.lastIndexOf(':');
  const isWhole = colon === -1 || (isReceiverTopic(text) && text.indexOf(':') === colon);
  const topic = isWhole ? text : text.slice(0, colon);
  if (topic === '') throw wrong(text, 'no topic', 'a topic, or topic:0-3,7');
  if (isWhole) return { topic, partitions: undefined };
  const partitions = new Set<number>();
  for (const part of text.slice(colon + 1).split(',')) {
    const [, first, last = first] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part) ?? [];
    if (first === undefined || last === undefined)
      throw wrong(text, `${JSON.stringify(part)} is no partition`, '0, 0-3 or 0-3,7');
    const [from, until] = [Number(first), Number(last)];
    if (until < from || until > partitionMax)
      throw wrong(text, `${part} is no range of partitions`, 'first-last, rising');
    if (until - from >= expandedMax)
      throw wrong(text, `${part} has ${until - from + 1} partitions`, `at most ${expandedMax}`);
    for (let partition = from; partition <= until; partition += 1) partitions.add(partition);
  }
  return { topic, partitions };
}

export function chosen(choice: Choice, { topic, partition }: TopicPartition): boolean {
  if (choice.length === 0) return true;
  return choice.some((one) => one.topic === topic && (one.partitions?.has(partition) ?? true));
}

/** Every topic and partition that was named must be among what was found: a slip of the finger must not pass for "nothing to do". */
export function requireFound(choice: Choice, found: readonly TopicPartition[], pipeline: string): void {
  for (const { topic, partitions } of choice) {
    const ofTopic = new Set(found.filter((one) => one.topic === topic).map(({ partition }) => partition));
    if (ofTopic.size === 0 && partitions === undefined) {
      throw new TidemarkError('USAGE_INVALID', `--topic: pipeline ${pipeline} has no topic ${topic}`, {
        topic,
        hint: choiceHint,
      });
    }
    const missing = [...(partitions ?? [])].filter((partition) => !ofTopic.has(partition));
    if (missing.length > 0) {
      const text = `${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}`;
      throw new TidemarkError(
        'USAGE_INVALID',
        `--topic: pipeline ${pipeline} has no partition ${text} of topic ${topic}`,
        {
          topic,
          hint: choiceHint,
        },
      );
    }
  }
}

const choiceHint = 'tidemark offsets describe shows what there is.';

function wrong(text: string, what: string, allowed: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `--topic: ${what} (${text}), allowed: ${allowed}`, {
    path: '--topic',
    hint: 'See tidemark offsets --help.',
  });
}
