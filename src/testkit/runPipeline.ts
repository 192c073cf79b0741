import { inspect } from 'node:util';
import { isTidemarkError, TidemarkError } from '../errors.ts';
import { type PartitionKey, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import { definePipeline, type PipelineOptions, type Transform } from '../pipeline/index.ts';
import type { Row } from '../sinks/index.ts';
import { MemoryCluster, MemoryDatabase, type MemoryRecord } from './memory/index.ts';

/** A record as a test gives it. Strings are written as UTF-8, objects as JSON, null as null. */
export interface InputRecord {
  readonly value: Buffer | string | object | null;
  /** Default null. */
  readonly key?: Buffer | string | object | null;
  /** In their order; a name may repeat. */
  readonly headers?: readonly (readonly [name: string, value: Buffer | string | null])[];
  /** Milliseconds since 1970. Default: the time of the run. */
  readonly timestamp?: number;
  /** Default `input`. */
  readonly topic?: string;
  /** Default 0. */
  readonly partition?: number;
}

/** The options of a pipeline that matter to its transform. */
export interface RunPipelineOptions
  extends Partial<Pick<PipelineOptions, 'pipeline' | 'batch' | 'onError' | 'transformTimeoutMs'>> {
  /** Of one record, or `{ batch }`. Omitted: a row is the record itself, `{ key, value, headers, timestamp }`. */
  readonly transform?: Transform;
  /** True: a partition that parks is part of the result, and not an error. Default false. */
  readonly allowParked?: boolean;
}

/**
 * What became of a record: `produced` gave rows, `dropped` the transform returned nothing for it, `skipped` passed over by
 * `onError.record: skip`, `parked` its partition stopped at it, `unread` it lies behind one that parked.
 */
export type RecordOutcome = 'produced' | 'dropped' | 'skipped' | 'parked' | 'unread';

/** One record with what became of it. */
export interface RecordResult extends TopicPartition {
  readonly offset: bigint;
  readonly input: InputRecord;
  readonly outcome: RecordOutcome;
  readonly rows: readonly Row[];
  /** Why it was skipped or its partition parked. */
  readonly error: TidemarkError | undefined;
}

/** What a run of a pipeline gave. */
export interface RunPipelineResult {
  /** All rows, in the order of the records they were made of. */
  readonly rows: readonly Row[];
  /** One for each record, in the order given. */
  readonly records: readonly RecordResult[];
}

/**
 * Runs records through a transform in a real pipeline, on a cluster and a database in memory, and gives the rows that were
 * committed. Rejects with CONFIG_INVALID for options a pipeline refuses, and, unless `allowParked`, with the error of a record
 * that parked its partition: it shows the record, and what the transform threw is its `cause`. A transform that throws is not
 * tried again unless `onError.attempts` says so.
 *
 * ```ts
 * const { rows } = await runPipeline([{ value: { id: 1 } }, { value: { id: 2, test: true } }], { transform });
 * assert.deepEqual(rows, [{ id: 1 }]);
 * ```
 */
export async function runPipeline(
  records: readonly InputRecord[],
  options: RunPipelineOptions = {},
): Promise<RunPipelineResult> {
  const { transform, allowParked = false, onError, pipeline = 'test', ...more } = options;
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  const placed = produceAll(cluster, records);
  const topics = [...cluster.topics];
  const defined = definePipeline({
    ...more,
    pipeline,
    kafka: cluster,
    source: { topics },
    sink: database,
    onError: { attempts: 1, ...onError },
    ...(transform === undefined ? {} : { transform }),
  });
  const failures = new Map<string, { readonly outcome: 'skipped' | 'parked'; readonly error: TidemarkError }>();
  defined.events.on('recordSkipped', ({ offset, error, ...of }) => {
    failures.set(placeKey(of, offset), { outcome: 'skipped', error });
  });
  defined.events.on('partitionParked', ({ nextOffset, error, ...of }) => {
    failures.set(placeKey(of, nextOffset), { outcome: 'parked', error });
  });
  await defined.start({ until: 'end' });
  await defined.finished.catch((error: unknown) => {
    if (![...failures.values()].some(({ outcome }) => outcome === 'parked')) throw error;
  });
  const rows = rowsByRecord(database);
  const committed = new Map(database.offsets(pipeline).map((row) => [partitionKey(row), row.nextOffset]));
  const results = placed.map((place): RecordResult => {
    const key = placeKey(place, place.offset);
    const failure = failures.get(key);
    const made = rows.get(key) ?? [];
    const isDone = place.offset < (committed.get(partitionKey(place)) ?? 0n);
    const outcome = failure?.outcome ?? (made.length > 0 ? 'produced' : isDone ? 'dropped' : 'unread');
    return { ...place, outcome, rows: made, error: failure?.error };
  });
  const parked = results.find(({ outcome }) => outcome === 'parked');
  if (parked !== undefined && !allowParked) throw withRecord(parked);
  return { rows: results.flatMap((result) => result.rows), records: results };
}

interface PlacedRecord extends TopicPartition {
  readonly offset: bigint;
  readonly input: InputRecord;
}

/** Writes the records of each partition in their order. */
function produceAll(cluster: MemoryCluster, records: readonly InputRecord[]): readonly PlacedRecord[] {
  const sizes = new Map<string, number>(records.length === 0 ? [['input', 1]] : []);
  for (const { topic = 'input', partition = 0 } of records) {
    sizes.set(topic, Math.max(sizes.get(topic) ?? 0, partition + 1));
  }
  for (const [topic, partitions] of sizes) cluster.createTopic(topic, { partitions });
  const byPartition = new Map<PartitionKey, InputRecord[]>();
  const next = new Map<PartitionKey, bigint>();
  const placed = records.map((input): PlacedRecord => {
    const { topic = 'input', partition = 0 } = input;
    const key = partitionKey({ topic, partition });
    byPartition.set(key, [...(byPartition.get(key) ?? []), input]);
    const offset = next.get(key) ?? 0n;
    next.set(key, offset + 1n);
    return { topic, partition, offset, input };
  });
  for (const inputs of byPartition.values()) {
    const { topic = 'input', partition = 0 } = inputs[0] ?? { value: null };
    cluster.produce(topic, partition, inputs.map(encoded));
  }
  return placed;
}

function encoded({ key = null, value, headers = [], timestamp }: InputRecord): MemoryRecord {
  return {
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map(([name, header]) => [name, header === null ? null : Buffer.from(header as string)]),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
}

function bytesOf(content: Buffer | string | object | null): Buffer | null {
  if (content === null || Buffer.isBuffer(content)) return content;
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
}

function placeKey(of: TopicPartition, offset: bigint): string {
  return `${partitionKey(of)}:${offset}`;
}

function rowsByRecord(database: MemoryDatabase): ReadonlyMap<string, Row[]> {
  const rows = new Map<string, Row[]>();
  for (const { row, offset, ...of } of database.rows) {
    const key = placeKey(of, offset);
    rows.set(key, [...(rows.get(key) ?? []), row]);
  }
  return rows;
}

/** The failure with the record it is about, which a reader of a test report has no other way to see. */
function withRecord(result: RecordResult): TidemarkError {
  const { topic, partition, offset, input, error } = result;
  const shown = inspect(input, { depth: 4, maxStringLength: 500, breakLength: 100 });
  const cause = isTidemarkError(error?.cause) || error?.cause === undefined ? error : error.cause;
  return new TidemarkError(
    error?.code ?? 'TRANSFORM_FAILED',
    `${error?.message ?? 'The partition parked'}\nThe record ${partitionName(result)} at offset ${offset}: ${shown}`,
    { topic, partition, offset, cause, ...(error?.hint === undefined ? {} : { hint: error.hint }) },
  );
}
