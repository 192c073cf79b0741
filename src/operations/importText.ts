import { messageOf } from '../errors.ts';
import { isReceiverTopic, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import { type ImportProblem, refusedFile } from './importProblems.ts';

/** One position as a file gives it. */
export interface ImportedPosition extends TopicPartition {
  readonly offset: bigint;
  /** Of the topic the offset is of; undefined where the file does not say. */
  readonly topicId: string | undefined;
  /** Where in the file: `line 3`, `positions[2]`. */
  readonly place: string;
}

export interface ImportedFile {
  /** Name of the pipeline that was exported; undefined where the file does not say. */
  readonly pipeline: string | undefined;
  readonly positions: readonly ImportedPosition[];
  readonly problems: readonly ImportProblem[];
}

/**
 * Reads what `exportText` or Kafka's `kafka-consumer-groups.sh --export` wrote, told apart by the first character. Line ends of
 * Windows, empty lines and a byte order mark are taken as they come; everything else that is not right is a problem, and all of
 * them are found at once. Pure.
 */
export function parseImport(text: string): ImportedFile {
  const content = text.replace(/^\uFEFF/, '');
  if (content.trim() === '') return { pipeline: undefined, positions: [], problems: [emptyFile] };
  const file = /^\s*[{[]/.test(content) ? parseJson(content) : parseCsv(content);
  return { ...file, problems: [...file.problems, ...repeated(file.positions)] };
}

/** The same for a file that is to be used as it is. Throws USAGE_INVALID with all that is wrong. */
export function readImport(text: string, name: string): ImportedFile {
  const file = parseImport(text);
  if (file.problems.length > 0) throw refusedFile(name, file.problems);
  return file;
}

const emptyFile: ImportProblem = { place: 'line 1', what: 'the file is empty' };

/** A position, or what is wrong with it. */
type Read = ImportedPosition | ImportProblem;

/** More than any cluster has partitions: not a file of positions. Problems are kept in memory, one for each line at worst. */
const positionsMax = 1_000_000;

function parseCsv(text: string): ImportedFile {
  const lines = text.split('\n', positionsMax + 1);
  if (lines.length > positionsMax) return tooMany(`line ${positionsMax + 1}`);
  const read = lines.flatMap((raw, index): Read[] => {
    const line = raw.replace(/\r$/, '');
    return line === '' ? [] : [parseLine(line, `line ${index + 1}`)];
  });
  return { pipeline: undefined, ...sorted(read) };
}

function tooMany(place: string): ImportedFile {
  return {
    pipeline: undefined,
    positions: [],
    problems: [{ place, what: `more than ${positionsMax} are no positions` }],
  };
}

function parseLine(line: string, place: string): Read {
  const cells = cellsOf(line);
  if (cells === undefined) return { place, what: 'the quotes do not fit' };
  if (cells.length !== 3) {
    const several = cells.length === 4 ? ' (an export of several groups: the group comes first there)' : '';
    const columns = `${cells.length} column${cells.length === 1 ? '' : 's'}`;
    return { place, what: `${columns}, expected are 3: topic,partition,offset${several}` };
  }
  const [topic = '', partition = '', offset = ''] = cells;
  return positionOf({ topic, partition, offset, topicId: undefined }, place);
}

/** Undefined where a quote is not closed, or stands within a cell. */
function cellsOf(line: string): readonly string[] | undefined {
  const cells: string[] = [];
  // Sticky, so that what fits no cell ends the reading and is noticed.
  const cell = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = cell.exec(line);
    if (match === null) return undefined;
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return cells;
  }
}

function parseJson(text: string): ImportedFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { pipeline: undefined, positions: [], problems: [notJson(error, text)] };
  }
  const { pipeline, positions } = (value ?? {}) as { readonly pipeline?: unknown; readonly positions?: unknown };
  const name = typeof pipeline === 'string' ? pipeline : undefined;
  if (!Array.isArray(positions)) {
    return { pipeline: name, positions: [], problems: [{ place: 'line 1', what: 'not an export: no positions' }] };
  }
  if (positions.length > positionsMax) return tooMany(`positions[${positionsMax}]`);
  if (positions.length === 0)
    return { pipeline: name, positions, problems: [{ place: 'positions', what: 'is empty' }] };
  return {
    pipeline: name,
    ...sorted(positions.map((one: unknown, index) => parseEntry(one, `positions[${index}]`))),
  };
}

function notJson(error: unknown, text: string): ImportProblem {
  const at = /position (\d+)/.exec(messageOf(error))?.[1];
  const before = at === undefined ? text.trimEnd() : text.slice(0, Number(at));
  return { place: `line ${before.split('\n').length}`, what: `not JSON: ${messageOf(error).split('\n')[0]}` };
}

function parseEntry(entry: unknown, place: string): Read {
  if (typeof entry !== 'object' || entry === null) return { place, what: 'is no position' };
  const { topic, partition, offset, topicId } = entry as Readonly<Record<string, unknown>>;
  if (typeof topic !== 'string') return { place, what: 'topic is no text' };
  if (typeof partition !== 'number') return { place, what: 'partition is no number' };
  // Above 2^53 a JSON number is not the one that was written.
  if (typeof offset !== 'string') return { place, what: 'offset is no decimal text: "123"' };
  if (topicId !== undefined && typeof topicId !== 'string') return { place, what: 'topicId is no text' };
  return positionOf({ topic, partition: String(partition), offset, topicId }, place);
}

interface Cells {
  readonly topic: string;
  readonly partition: string;
  readonly offset: string;
  readonly topicId: string | undefined;
}

const partitionMax = 2n ** 31n - 1n;
const offsetMax = 2n ** 63n - 1n;

function positionOf({ topic, partition, offset, topicId }: Cells, place: string): Read {
  const problems = [
    isTopic(topic) ? undefined : `${JSON.stringify(topic)} is no name of a topic`,
    numberProblem('partition', partition, partitionMax),
    numberProblem('offset', offset, offsetMax),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) return { place, what: problems.join('; ') };
  return { topic, partition: Number(partition), offset: BigInt(offset), topicId, place };
}

function isTopic(name: string): boolean {
  return isReceiverTopic(name) || /^[a-zA-Z0-9._-]{1,249}$/.test(name);
}

function numberProblem(what: string, text: string, max: bigint): string | undefined {
  if (/^-\d+$/.test(text)) return `${what} ${text.slice(0, 25)} is negative`;
  if (!/^\d+$/.test(text)) return `${what} ${JSON.stringify(text.slice(0, 25))} is no whole number`;
  if (text.length > 19 || BigInt(text) > max) return `${what} ${text.slice(0, 25)} is more than ${max}`;
  return undefined;
}

function sorted(read: readonly Read[]) {
  const isProblem = (one: Read): one is ImportProblem => 'what' in one;
  return {
    positions: read.filter((one): one is ImportedPosition => !isProblem(one)),
    problems: read.filter(isProblem),
  };
}

function repeated(positions: readonly ImportedPosition[]): readonly ImportProblem[] {
  const first = new Map<string, string>();
  return positions.flatMap((position) => {
    const before = first.get(partitionKey(position));
    if (before === undefined) {
      first.set(partitionKey(position), position.place);
      return [];
    }
    return [{ place: position.place, what: `${partitionName(position)} is there already: ${before}` }];
  });
}
