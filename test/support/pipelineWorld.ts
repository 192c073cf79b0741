import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { kafkaService, postgresService } from '../services/index.ts';
import { type KafkaDriverEnvironment, kafkaDriverEnvironment } from './kafkaDriverEnvironment.ts';

/** A topic, a database, and configuration files over both: what a test of the whole command works in. */
export interface PipelineWorld {
  readonly topic: string;
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  readonly kafka: KafkaDriverEnvironment;
  /** Folder of the files; the working directory of commands. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  produce(values: readonly (string | Buffer | null)[], partition?: number): Promise<void>;
  query<T>(text: string): Promise<T[]>;
  /** Writes a file into the folder; answers its name. */
  file(name: string, content: string): Promise<string>;
  /** Writes orders.yaml: the usual options with sections changed; undefined leaves one out. */
  config(change?: Record<string, unknown>, name?: string): Promise<string>;
  /** Committed offset of a partition; undefined without a row. */
  committed(partition?: number): Promise<bigint | undefined>;
}

export interface WorldOptions {
  readonly partitions?: number;
  /** Columns of the table `public.orders`. Default `id bigint, payload text`. */
  readonly columns?: string;
}

export async function pipelineWorld(options: WorldOptions = {}): Promise<PipelineWorld> {
  const [{ brokers }, postgres] = await Promise.all([kafkaService(), postgresService()]);
  const kafka = await kafkaDriverEnvironment(brokers);
  onTestFinished(() => kafka.close());
  const [topic, database] = await Promise.all([
    kafka.createTopic({ partitions: options.partitions ?? 1 }),
    postgres.createDatabase('command'),
  ]);
  onTestFinished(() => database.drop());
  const client = new pg.Client({ connectionString: database.url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`CREATE TABLE public.orders (${options.columns ?? 'id bigint, payload text'})`);
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-command-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const query = async <T>(text: string) => (await client.query(text)).rows as T[];
  const file = async (name: string, content: string) => {
    await writeFile(join(folder, name), content);
    return name;
  };
  return {
    topic,
    databaseUrl: database.url,
    brokers,
    kafka,
    folder,
    environment: { DATABASE_URL: database.url, KAFKA_BROKERS: brokers.join(',') },
    produce: async (values, partition = 0) => {
      const records = values.map((value) => ({
        key: null,
        value: typeof value === 'string' ? Buffer.from(value) : value,
      }));
      await kafka.produce(topic, partition, records);
    },
    query,
    file,
    config: (change = {}, name = 'orders.yaml') => file(name, stringify({ ...usual(topic), ...change })),
    committed: async (partition = 0) => {
      const [ledger] = await query<{ there: boolean }>("SELECT to_regclass('tidemark.offsets') IS NOT NULL AS there");
      if (ledger?.there !== true) return undefined;
      const rows = await query<{ next: string }>(
        `SELECT next_offset::text AS next FROM tidemark.offsets WHERE partition = ${partition}`,
      );
      return rows[0] === undefined ? undefined : BigInt(rows[0].next);
    },
  };
}

/** Every record as a row of `public.orders`, under its offset. */
export function offsetSink(world: PipelineWorld) {
  return {
    type: 'postgres',
    connectionString: world.databaseUrl,
    table: 'public.orders',
    columns: { id: '$offset', payload: '$value' },
  } as const;
}

function usual(topic: string): Record<string, unknown> {
  return {
    pipeline: 'orders',
    kafka: { brokers: '$' + '{KAFKA_BROKERS}' },
    source: { topics: [topic] },
    sink: {
      type: 'postgres',
      connectionString: '$' + '{DATABASE_URL}',
      table: 'public.orders',
      columns: { id: '$value.id', payload: '$value' },
    },
  };
}
