import { parseColumnSource } from '../sinks/index.ts';
import { type OptionProblem, optionPath, shown } from './optionProblem.ts';
import { receiverChecks } from './receiverChecks.ts';
import { topicSelectors } from './spec/sourceSpec.ts';
import { storeChecks } from './storeChecks.ts';

/**
 * What no option alone shows: combinations that cannot work. Read from what the user wrote, types unchecked, so that these
 * are reported together with everything else.
 */
export function crossChecks(raw: unknown): readonly OptionProblem[] {
  if (!isMap(raw)) return [];
  const source = mapOf(raw.source);
  const kafka = mapOf(raw.kafka);
  return [
    ...selectionChecks(source),
    ...duplicateChecks(source),
    ...startOffsetChecks(source),
    ...groupChecks(source, kafka),
    ...brokerChecks(kafka),
    ...tlsChecks(kafka),
    ...rateChecks(mapOf(raw.batch)),
    ...columnChecks(mapOf(raw.sink), raw.transform !== undefined),
    ...receiverChecks(raw),
    ...storeChecks(raw),
  ];
}

type Loose = Readonly<Record<string, unknown>>;

function isMap(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const mapOf = (value: unknown): Loose => (isMap(value) ? value : {});
const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
const given = (map: Loose, names: readonly string[]) => names.filter((name) => map[name] !== undefined);

function selectionChecks(source: Loose): readonly OptionProblem[] {
  const present = given(source, topicSelectors);
  const problems: OptionProblem[] = [];
  if (present.length === 0 && source.receivers === undefined && Object.keys(source).length > 0) {
    problems.push({
      keys: ['source'],
      message: 'nothing says what is read',
      hint: `give one of ${topicSelectors.join(', ')}${source.mode === 'receiver' ? ', or receivers' : ''}`,
    });
  }
  if (present.length > 1) {
    const [keep, ...others] = present;
    problems.push({
      keys: ['source'],
      message: `${present.join(' and ')} exclude each other`,
      hint: `keep one of them, for example ${keep}, and remove ${others.join(' and ')}`,
    });
  }
  const failure = typeof source.topicPattern === 'string' ? patternFailure(source.topicPattern) : undefined;
  if (failure !== undefined) {
    problems.push({
      keys: ['source', 'topicPattern'],
      message: `${shown(source.topicPattern)} is not a regular expression (${failure})`,
      hint: 'quote characters such as ( [ * + ? with a backslash where they stand for themselves',
    });
  }
  return problems;
}

function patternFailure(pattern: string): string | undefined {
  try {
    new RegExp(`^(?:${pattern})$`);
    return undefined;
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: /, '');
  }
}

function duplicateChecks(source: Loose): readonly OptionProblem[] {
  const lists: [readonly PropertyKey[], unknown][] = [
    [['source', 'topics'], source.topics],
    ...Object.entries(mapOf(source.partitions)).map(([topic, list]): [readonly PropertyKey[], unknown] => [
      ['source', 'partitions', topic],
      list,
    ]),
  ];
  return lists.flatMap(([keys, list]) => {
    if (!Array.isArray(list)) return [];
    return list.flatMap((item, index) => {
      const first = list.indexOf(item);
      if (first === index) return [];
      const place = optionPath([...keys, first]);
      return [{ keys: [...keys, index], message: `${shown(item)} stands already at ${place}`, hint: 'remove one' }];
    });
  });
}

function startOffsetChecks(source: Loose): readonly OptionProblem[] {
  const selects = selectionOf(source);
  if (selects === undefined) return [];
  const problems: OptionProblem[] = [];
  for (const [topic, offsets] of Object.entries(mapOf(source.startOffsets))) {
    for (const partition of Object.keys(mapOf(offsets))) {
      if (selects.test(topic, Number(partition))) continue;
      problems.push({
        keys: ['source', 'startOffsets', topic, partition],
        message: `${topic}-${partition} is not selected by source.${selects.name}`,
        hint: `remove the offset, or add the partition to source.${selects.name}`,
      });
    }
  }
  return problems;
}

/** What `source` selects, as far as the options tell; undefined when they do not say it rightly. */
function selectionOf(source: Loose) {
  const [name, ...others] = given(source, topicSelectors);
  if (name === undefined || others.length > 0) return undefined;
  if (name === 'topics' && Array.isArray(source.topics)) {
    const topics = textsOf(source.topics);
    return { name, test: (topic: string) => topics.includes(topic) };
  }
  if (name === 'partitions' && isMap(source.partitions)) {
    const { partitions } = source as { partitions: Loose };
    return {
      name,
      test: (topic: string, partition: number) => {
        const listed = Object.hasOwn(partitions, topic) ? partitions[topic] : [];
        return Array.isArray(listed) && listed.includes(partition);
      },
    };
  }
  if (typeof source.topicPattern !== 'string' || patternFailure(source.topicPattern) !== undefined) return undefined;
  const pattern = new RegExp(`^(?:${source.topicPattern})$`);
  return { name, test: (topic: string) => pattern.test(topic) };
}

const groupOptions = ['protocol', 'instanceId'];

function groupChecks(source: Loose, kafka: Loose): readonly OptionProblem[] {
  if (source.assignment !== 'group') {
    if (source.group === undefined) return [];
    const message = 'a membership without assignment: group';
    return [{ keys: ['source', 'group'], message, hint: 'add source.assignment: group, or remove source.group' }];
  }
  const problems: OptionProblem[] = [];
  if (source.partitions !== undefined) {
    problems.push({
      keys: ['source', 'partitions'],
      message: 'a consumer group hands out whole topics, not single partitions',
      hint: 'select by source.topics or source.topicPattern, or use source.assignment: all',
    });
  }
  const group = mapOf(source.group);
  const { heartbeatIntervalMs: beat = 3000, sessionTimeoutMs: session = 45_000 } = group;
  if (typeof beat === 'number' && typeof session === 'number' && beat * 2 > session) {
    problems.push({
      keys: ['source', 'group', 'heartbeatIntervalMs'],
      message: `one lost heartbeat (every ${beat} ms) would end a session of ${session} ms`,
      allowed: `up to ${Math.floor(session / 2)}, half of source.group.sessionTimeoutMs; a third is usual`,
    });
  }
  const isKafkajs = !('createDriver' in kafka) && (kafka.driver ?? 'kafkajs') === 'kafkajs';
  for (const name of isKafkajs ? given(group, groupOptions) : []) {
    if (group[name] === 'eager') continue;
    problems.push({
      keys: ['source', 'group', name],
      message: `${shown(group[name])} is not possible with kafka.driver kafkajs, which knows the classic eager protocol only`,
      hint: `use kafka.driver: confluent, or remove source.group.${name}`,
    });
  }
  return problems;
}

function brokerChecks(kafka: Loose): readonly OptionProblem[] {
  return textsOf(kafka.brokers).flatMap((broker, index) => {
    const port = Number(/:(\d{1,5})$/.exec(broker)?.[1] ?? '1');
    if (port >= 1 && port <= 65_535) return [];
    return [{ keys: ['kafka', 'brokers', index], message: `${shown(broker)} has no such port`, allowed: '1 to 65535' }];
  });
}

function tlsChecks(kafka: Loose): readonly OptionProblem[] {
  const ssl = mapOf(kafka.ssl);
  const present = given(ssl, ['cert', 'key']);
  if (present.length !== 1) return [];
  const absent = present[0] === 'cert' ? 'key' : 'cert';
  return [
    {
      keys: ['kafka', 'ssl'],
      message: `${present[0]} is given without ${absent}`,
      hint: `add kafka.ssl.${absent}, or remove kafka.ssl.${present[0]}`,
    },
  ];
}

function rateChecks(batch: Loose): readonly OptionProblem[] {
  const { minRatePerPartition: least, maxRatePerPartition: most, intervalMs } = batch;
  if (typeof least !== 'number' || typeof most !== 'number' || typeof intervalMs !== 'number') return [];
  const perBatch = (most * intervalMs) / 1000;
  if (most <= 0 || intervalMs <= 0 || least <= Math.max(1, perBatch)) return [];
  return [
    {
      keys: ['batch', 'minRatePerPartition'],
      message: `${least} records in every batch are more than maxRatePerPartition allows (${most} a second, ${perBatch} in ${intervalMs} ms)`,
      hint: 'lower batch.minRatePerPartition or raise batch.maxRatePerPartition',
    },
  ];
}

function columnChecks(sink: Loose, hasTransform: boolean): readonly OptionProblem[] {
  const problems: OptionProblem[] = [];
  for (const [column, entry] of Object.entries(mapOf(sink.columns))) {
    const from = isMap(entry) ? entry.from : entry;
    if (typeof from !== 'string' || from === '') continue;
    const keys = isMap(entry) ? ['sink', 'columns', column, 'from'] : ['sink', 'columns', column];
    const source = parseColumnSource(from);
    if (typeof source === 'string') problems.push({ keys, message: source });
    else if (source.kind === 'field' && !hasTransform) {
      const message = `${shown(from)} names a field of the transform's row, but there is no transform`;
      const hint = `write $value.${from} for the field of a JSON value, or give a transform`;
      problems.push({ keys, message, hint });
    }
  }
  return problems;
}
