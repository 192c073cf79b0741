import { userInfo } from 'node:os';
import { readPipelineFile, redactor } from '../config/index.ts';
import { createDriver, type KafkaDriver } from '../kafka/index.ts';
import type { TopicPartition } from '../model/index.ts';
import { openPlace, type StorePlace } from '../offsets/index.ts';
import {
  type Choice,
  type OpenProgress,
  openProgress,
  type ProgressSource,
  parseChosenTopic,
} from '../operations/index.ts';
import { isMirrored, type PipelineSpec } from '../pipeline/index.ts';
import type { CommandContext } from './host.ts';
import type { PlaceArguments, RawPlace } from './placeOptions.ts';
import { placeOfSpec } from './specPlace.ts';
import { usageError } from './usage.ts';

export function choiceOf({ topic = [] }: RawPlace): Choice {
  return topic.map(parseChosenTopic);
}

/** The one partition that a command is about. */
export function onePartition(raw: RawPlace): TopicPartition {
  const [chosen, ...others] = choiceOf(raw);
  const [partition, ...more] = chosen?.partitions ?? [];
  if (chosen === undefined || partition === undefined || others.length + more.length > 0) {
    throw usageError('--topic', 'exactly one partition is needed', 'allowed: --topic orders:3');
  }
  return { topic: chosen.topic, partition };
}

/** Who gives an order, for the history: the user of the system, unless the environment names one. */
export function operatorName({ environment }: Pick<CommandContext, 'environment'>): string {
  const given = environment.TIDEMARK_OPERATOR;
  if (given !== undefined && given !== '') return given;
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}

/** Runs `work` with the progress that the command line names, opened; it is closed afterwards. */
export async function withProgress<T>(
  { file, raw }: PlaceArguments,
  context: CommandContext,
  purpose: 'look' | 'use',
  work: (progress: OpenProgress) => Promise<T>,
): Promise<T> {
  return withOpen(await progressSource({ file, raw }, context), purpose, work);
}

/** The same with a progress that is known. */
export async function withOpen<T>(
  source: ProgressSource,
  purpose: 'look' | 'use',
  work: (progress: OpenProgress) => Promise<T>,
): Promise<T> {
  const progress = await openProgress(source, purpose);
  try {
    return await work(progress);
  } finally {
    await progress.close();
  }
}

/** What the command line names, without its brokers unless the positions are theirs: a backup must not need a cluster that is down. */
export async function storeSource(place: PlaceArguments, context: CommandContext): Promise<ProgressSource> {
  const { source, isInGroup } = await namedSource(place, context);
  return isInGroup ? source : { ...source, driver: undefined };
}

/** The progress that the command line names, not opened yet. Throws USAGE_INVALID when it names none, or two. */
export async function progressSource(place: PlaceArguments, context: CommandContext): Promise<ProgressSource> {
  return (await namedSource(place, context)).source;
}

interface NamedSource {
  readonly source: ProgressSource;
  /** The positions are offsets of a consumer group: there is no looking at them without the brokers. */
  readonly isInGroup: boolean;
}

async function namedSource({ file, raw }: PlaceArguments, context: CommandContext): Promise<NamedSource> {
  // What is wrong without asking anyone is said before anything connects.
  choiceOf(raw);
  requireOneWay({ file, raw });
  const spec = file === undefined ? undefined : await readSpec(file, context);
  const driver = await driverOf(spec, raw);
  if (raw.group !== undefined) {
    if (driver === undefined) throw usageError('--group', 'a consumer group needs --brokers');
    const { kafkaGroupPlace } = await import('../offsets/stores/kafkaGroup/index.ts');
    const source = { pipeline: raw.group, place: kafkaGroupPlace(driver), driver, groupId: raw.group };
    return { source, isInGroup: true };
  }
  if (spec !== undefined) {
    const { groupId = spec.pipeline } = spec.source;
    const place = await placeOfSpec(spec, file ?? '', driver);
    const source = { ...place, driver, selection: spec.source, groupId, isMirrored: isMirrored(spec) };
    return { source, isInGroup: spec.store?.type === 'kafka' };
  }
  const { store = '', pipeline = '', schema } = raw;
  return { source: { pipeline, place: await placeOfUrl(store, schema, context), driver }, isInGroup: false };
}

/** A store and a cluster, for commands that are about all they have. The driver is not connected. */
export async function placesOf(
  { file, raw }: PlaceArguments,
  context: CommandContext,
): Promise<{ readonly place: StorePlace | undefined; readonly driver: KafkaDriver | undefined }> {
  const { store, schema, brokers } = raw;
  if (file !== undefined && store !== undefined) throw usageError('--store', 'FILE names the store already');
  if (schema !== undefined && store === undefined) throw usageError('--schema', 'it goes with --store');
  if (file === undefined && store === undefined && brokers === undefined) {
    throw usageError('FILE', 'nothing says where to look', 'allowed: FILE, --store URL, --brokers LIST');
  }
  const spec = file === undefined ? undefined : await readSpec(file, context);
  const driver = await driverOf(spec, raw);
  if (spec !== undefined) return { place: (await placeOfSpec(spec, file ?? '', driver)).place, driver };
  return { place: store === undefined ? undefined : await placeOfUrl(store, schema, context), driver };
}

async function placeOfUrl(store: string, schema: string | undefined, context: CommandContext): Promise<StorePlace> {
  hideUrl(store, context);
  return openPlace(store, schema === undefined ? {} : { schema });
}

function requireOneWay({ file, raw }: PlaceArguments): void {
  const { store, pipeline, group, schema } = raw;
  if (file !== undefined && store !== undefined) throw usageError('--store', 'FILE names the store already');
  if (file !== undefined && pipeline !== undefined) throw usageError('--pipeline', 'FILE names the pipeline already');
  if (group !== undefined && store !== undefined) throw usageError('--group', 'a group is no pipeline of --store');
  if (schema !== undefined && store === undefined) throw usageError('--schema', 'it goes with --store');
  if (file !== undefined || group !== undefined) return;
  if (store === undefined)
    throw usageError(
      'FILE',
      'nothing says whose offsets',
      'allowed: FILE, or --store URL --pipeline NAME, or --group NAME --brokers LIST',
    );
  if (pipeline === undefined)
    throw usageError('--pipeline', 'a name is needed with --store', 'tidemark offsets list shows them');
}

async function readSpec(file: string, context: CommandContext): Promise<PipelineSpec> {
  const { spec, secrets } = await readPipelineFile(file, context.environment);
  context.hide(redactor(secrets));
  return spec;
}

async function driverOf(spec: PipelineSpec | undefined, { brokers }: RawPlace): Promise<KafkaDriver | undefined> {
  if (brokers === undefined) return spec?.kafka === undefined ? undefined : createDriver(spec.kafka);
  const list = brokers.split(',').map((broker) => broker.trim());
  const wrong = list.find((broker) => !/^[^:\s]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/.test(broker));
  if (wrong !== undefined) throw usageError('--brokers', `not a broker (${wrong})`, 'allowed: host:port,host:port');
  // TLS and credentials of the file go with other addresses of the same cluster.
  const known = spec?.kafka === undefined || 'createDriver' in spec.kafka ? {} : spec.kafka;
  return createDriver({ ...known, brokers: list });
}

/** What stands between `//` and `@` of a URL is nobody's business. */
export function hideUrl(url: string, context: CommandContext): void {
  const credentials = /^[a-z+]+:\/\/([^@/]*)@/i.exec(url)?.[1];
  const password = credentials?.split(/:(.*)/s)[1];
  if (password !== undefined && password !== '') context.hide(redactor([password, decodeURIComponent(password)]));
}
