import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  definePipeline,
  type Pipeline,
  type PipelineHost,
  type PipelineOptions,
  type Receiver,
  type ReceiverContext,
  type StartOptions,
} from '../../src/index.ts';
import type { PipelineEvents } from '../../src/telemetry/index.ts';
import { MemoryCluster, MemoryDatabase, type MemoryDriver } from '../../src/testkit/index.ts';

/** A receiver that hands in what the test hands in. */
export class HandReceiver implements Receiver {
  #context: ReceiverContext | undefined;
  #resolveStarted: (context: ReceiverContext) => void = () => {};
  /** Its context, as soon as it was started once. */
  readonly started = new Promise<ReceiverContext>((resolve) => {
    this.#resolveStarted = resolve;
  });
  stops = 0;

  get context(): ReceiverContext {
    if (this.#context === undefined) throw new Error('not started yet');
    return this.#context;
  }

  start(context: ReceiverContext): void {
    this.#context = context;
    this.#resolveStarted(context);
  }

  stop(): void {
    this.stops += 1;
  }
}

type Heard = { readonly [K in keyof PipelineEvents]: PipelineEvents[K][] };

/** One process of a pipeline in receiver mode. */
export interface ReceiverProcess {
  readonly pipeline: Pipeline;
  readonly driver: MemoryDriver;
  /** Its directory. */
  readonly dir: string;
  /** Its events so far, by name. */
  readonly heard: Heard;
  /**
   * Ends it as a crash does: nothing of it is committed or released any more. Answers a copy of its directory as it was then,
   * for the process that comes after it.
   */
  crash(): Promise<string>;
}

export interface ReceiverWorld {
  readonly cluster: MemoryCluster;
  readonly database: MemoryDatabase;
  /** A directory for a log, which is not there yet. */
  newDir(): Promise<string>;
  /** Starts a process; without `dir` with a log of its own. */
  start(
    options?: Partial<PipelineOptions>,
    at?: StartOptions & PipelineHost & { readonly dir?: string },
  ): Promise<ReceiverProcess>;
  /** Values of a topic's committed rows, in the order of their commits. */
  values(topic?: string): readonly string[];
  /** Next offset in the ledger. */
  nextOffset(topic: string, partition?: number): bigint | undefined;
}

export const topic = 'orders';

/** A cluster and a database in memory, logs on the disk. The topic `orders` is there. */
export function receiverWorld(partitions = 1): ReceiverWorld {
  const [cluster, database] = [new MemoryCluster(), new MemoryDatabase()];
  cluster.createTopic(topic, { partitions });
  const newDir = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-receiver-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    return join(folder, 'wal');
  };
  return {
    cluster,
    database,
    newDir,
    start: async (options = {}, { dir, clock, files, ...start } = {}) => {
      const [driver, walDir] = [cluster.driver(), dir ?? (await newDir())];
      const pipeline = definePipeline(
        {
          pipeline: topic,
          kafka: { createDriver: () => driver },
          transform: (record) => ({ value: record.text() }),
          sink: database,
          wal: { dir: walDir },
          ...options,
          source: {
            mode: 'receiver',
            topics: [topic],
            blockIntervalMs: 20,
            ...options.source,
          } as PipelineOptions['source'],
        },
        { ...(clock && { clock }), ...(files && { files }) },
      );
      onTestFinished(() => pipeline.stop({ deadlineMs: 5_000 }).catch(() => {}));
      const heard = listen(pipeline);
      await pipeline.start(start);
      return { pipeline, driver, dir: walDir, heard, crash: () => crash(pipeline, driver, database, walDir, newDir) };
    },
    values: (of = topic) => database.rows.filter((row) => row.topic === of).map(({ row }) => row.value as string),
    nextOffset: (of, partition = 0) =>
      database.offsets(topic).find((row) => row.topic === of && row.partition === partition)?.nextOffset,
  };
}

async function crash(
  pipeline: Pipeline,
  driver: MemoryDriver,
  { faults }: MemoryDatabase,
  dir: string,
  newDir: () => Promise<string>,
): Promise<string> {
  const client = { client: pipeline.status().instanceId };
  const always = { times: Number.POSITIVE_INFINITY };
  for (const call of ['commitRanges', 'release', 'setState', 'claim'] as const) faults.fail(call, client, always);
  driver.cut();
  const copy = await newDir();
  // A lock names its process, which in a test is still there.
  await cp(dir, copy, { recursive: true, filter: (path) => !basename(path).startsWith('lock-') });
  await pipeline.stop({ deadlineMs: 0 }).catch(() => {});
  return copy;
}

const names = [
  'batchPlanned',
  'blockLogged',
  'blocksDiscarded',
  'degraded',
  'gapCommitted',
  'intakeClosed',
  'partitionClaimed',
  'partitionFenced',
  'partitionParked',
  'partitionPaused',
  'rangeCommitted',
  'rangeRetried',
  'receiverChanged',
  'recordSkipped',
] as const;

function listen(pipeline: Pipeline): Heard {
  const heard = new Map<string, unknown[]>();
  for (const name of names) {
    const events: unknown[] = [];
    heard.set(name, events);
    pipeline.events.on(name, (event: unknown) => events.push(event));
  }
  return Object.fromEntries(heard) as unknown as Heard;
}

/** `from`, and so many texts after it. */
export function texts(count: number, prefix = 'r'): readonly string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`);
}

/** Writes each value as a record batch of its own. */
export function produce(cluster: MemoryCluster, values: readonly string[], partition = 0): void {
  for (const value of values) cluster.produce(topic, partition, [{ value }]);
}

/** Records that a process has made durable. */
export function logged({ heard }: ReceiverProcess, of = topic): bigint | undefined {
  return heard.blockLogged.filter((block) => block.topic === of).at(-1)?.untilOffset;
}
