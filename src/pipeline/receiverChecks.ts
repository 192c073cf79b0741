import { blockBytesLimitOf } from '../receiver/index.ts';
import { missingOption } from './issueProblems.ts';
import { type OptionProblem, optionPath, shown, valueAt } from './optionProblem.ts';
import { optionAt, walkOptions } from './optionTree.ts';
import { receiverNamePattern, receiverNameText } from './spec/receiverSpec.ts';
import { type SourceMode, sourceModes, topicSelectors } from './spec/sourceSpec.ts';

type Keys = readonly PropertyKey[];

/** Combinations that cannot work in the chosen mode. `raw` is what the user wrote, types unchecked. */
export function receiverChecks(raw: unknown): readonly OptionProblem[] {
  const mode = sourceModes.find((known) => known === (valueAt(raw, ['source', 'mode']) ?? 'direct'));
  const problems = [...kafkaChecks(raw), ...(mode === undefined ? [] : modeChecks(raw, mode))];
  if (mode !== 'receiver') return problems;
  return [
    ...problems,
    ...(valueAt(raw, ['wal']) === undefined ? [missingOption(['wal'])] : []),
    ...groupChecks(raw),
    ...rateChecks(raw),
    ...sizeChecks(raw),
    ...nameChecks(raw),
    ...addressChecks(raw),
  ];
}

/** Whether `source` names topics, by whatever option. */
function readsTopics(raw: unknown): boolean {
  return topicSelectors.some((name) => valueAt(raw, ['source', name]) !== undefined);
}

/** Receivers alone need no cluster; where they stand in the wrong mode, that is what is wrong. */
function kafkaChecks(raw: unknown): readonly OptionProblem[] {
  const needsNone = !readsTopics(raw) && valueAt(raw, ['source', 'receivers']) !== undefined;
  return needsNone || valueAt(raw, ['kafka']) !== undefined ? [] : [missingOption(['kafka'])];
}

/** Options of the other mode. */
function modeChecks(raw: unknown, mode: SourceMode): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  for (const { keys, node } of walkOptions()) {
    if (node.mode === undefined || node.mode === mode || valueAt(raw, keys) === undefined) continue;
    const changeMode = node.mode === 'receiver' ? ['set source.mode: receiver'] : [];
    const instead = node.counterpart === undefined ? [] : [`use ${node.counterpart}`];
    const hint = [...instead, ...changeMode, 'remove it'].slice(0, 2).join(', or ');
    problems.push({ keys, message: `is for source.mode: ${node.mode}`, hint });
  }
  return problems;
}

function groupChecks(raw: unknown): readonly OptionProblem[] {
  if (valueAt(raw, ['source', 'assignment']) !== 'group' || readsTopics(raw)) return [];
  const message = 'a consumer group without a topic has nothing to spread over the processes';
  const hint = 'give source.topics or source.topicPattern, or remove source.assignment';
  return [{ keys: ['source', 'assignment'], message, hint }];
}

function rateChecks(raw: unknown): readonly OptionProblem[] {
  if (valueAt(raw, ['source', 'sharedRate']) === undefined || inEffect(raw, ['source', 'maxRate']) !== 0) return [];
  const message = 'there is no source.maxRate to share';
  const hint = 'set source.maxRate, the records per second of all processes together, or remove source.sharedRate';
  return [{ keys: ['source', 'sharedRate'], message, hint }];
}

function sizeChecks(raw: unknown): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const block = inEffect(raw, ['source', 'blockBytesMax']);
  const waiting = inEffect(raw, ['source', 'bytesWaitingMax']);
  if (block !== undefined && waiting !== undefined && waiting < block) {
    problems.push({
      keys: ['source', 'bytesWaitingMax'],
      message: `${waiting} bytes have no room for one block of ${block} bytes`,
      hint: 'raise source.bytesWaitingMax or lower source.blockBytesMax',
    });
  }
  const segment = inEffect(raw, ['wal', 'segmentBytesMax']);
  if (segment === undefined) return problems;
  const limit = blockBytesLimitOf(segment);
  const isBySegment = limit < blockBytesLimitOf(Number.MAX_SAFE_INTEGER);
  for (const keys of [['source', 'blockBytesMax'], ...receivers(raw).flatMap(([at]) => sizesOf(raw, at))]) {
    const bytes = inEffect(raw, keys);
    if (bytes === undefined || bytes <= limit) continue;
    problems.push({
      keys,
      message: `${bytes} bytes do not fit into an entry of the write-ahead log`,
      allowed: `up to ${limit}`,
      hint: isBySegment ? `lower it, or raise wal.segmentBytesMax (${segment})` : 'lower it',
    });
  }
  return problems;
}

/** What the receiver at `at` may have to store in one piece. */
function sizesOf(raw: unknown, at: Keys): readonly Keys[] {
  const type = valueAt(raw, [...at, 'type']);
  if (type === 'socket') return [[...at, 'lineBytesMax']];
  return type === 'http' ? [[...at, 'bodyBytesMax']] : [];
}

function nameChecks(raw: unknown): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const seen = new Map<unknown, Keys>();
  for (const [at, receiver] of receivers(raw)) {
    const keys = [...at, 'name'];
    const { name } = receiver;
    const first = seen.get(name);
    // Of receivers that bring themselves nothing else looks at the name.
    if ('createReceiver' in receiver && !(typeof name === 'string' && receiverNamePattern.test(name))) {
      problems.push({ keys, message: `${shown(name)} is not valid`, allowed: receiverNameText });
    } else if (first !== undefined) {
      const message = `${shown(name)} stands already at ${optionPath(first)}`;
      problems.push({ keys, message, hint: 'give every receiver a name of its own: its row in the ledger goes by it' });
    } else if (name !== undefined) seen.set(name, keys);
  }
  return problems;
}

/** Two that listen at one place; port 0 is always a free one. */
function addressChecks(raw: unknown): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  const seen = new Map<string, Keys>();
  const listening = receivers(raw).flatMap(([at, { type }]) => (type === 'http' ? [at] : []));
  for (const at of valueAt(raw, ['http']) === undefined ? listening : [['http'], ...listening]) {
    const port = inEffect(raw, [...at, 'port']);
    if (port === undefined || port === 0) continue;
    const address = `${String(valueAt(raw, [...at, 'host']) ?? optionAt([...at, 'host'])?.default)}:${port}`;
    const first = seen.get(address);
    if (first === undefined) seen.set(address, at);
    else {
      const message = `${optionPath(first)} listens at ${address} already`;
      problems.push({ keys: [...at, 'port'], message, hint: 'give each a port of its own' });
    }
  }
  return problems;
}

/** The receivers that are maps, each with its place. */
function receivers(raw: unknown): readonly (readonly [Keys, Readonly<Record<string, unknown>>])[] {
  const list = valueAt(raw, ['source', 'receivers']);
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, index) =>
    typeof item === 'object' && item !== null
      ? [[['source', 'receivers', index], item as Readonly<Record<string, unknown>>] as const]
      : [],
  );
}

/** The number given, or the default; undefined where something else is given. */
function inEffect(raw: unknown, keys: Keys): number | undefined {
  const value = valueAt(raw, keys) ?? optionAt(keys)?.default;
  return typeof value === 'number' ? value : undefined;
}
