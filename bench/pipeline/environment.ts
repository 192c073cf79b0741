import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type KafkaService,
  kafkaService,
  postgresService,
  stopServices,
  topicPrefix,
} from '../../test/services/index.ts';
import { writeParsedText, writeRawText } from './copyFiles.ts';
import { Psql } from './psql.ts';
import type { Settings } from './settings.ts';
import { fillTopic } from './topic.ts';

export interface FilledTopic {
  readonly name: string;
  readonly records: number;
}

/** Services and prepared data, each made when a workload first asks, with the time it took. */
export class Environment {
  readonly settings: Settings;
  readonly kafka: KafkaService;
  readonly databaseUrl: string;
  readonly psql: Psql;
  /** What runs where, in the services' own words. */
  readonly versions: Readonly<Record<string, string>>;
  /** Seconds spent on what is not measured. */
  readonly preparationSeconds: Record<string, number> = {};
  readonly #dir = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  readonly #made = new Map<string, Promise<unknown>>();
  #folders = 0;

  private constructor(settings: Settings, services: Services) {
    this.settings = settings;
    this.kafka = services.kafka;
    this.databaseUrl = services.databaseUrl;
    this.psql = new Psql(services.databaseUrl);
    this.versions = services.versions;
    this.preparationSeconds.services = services.seconds;
  }

  static async open(settings: Settings): Promise<Environment> {
    return new Environment(settings, await startServices(settings));
  }

  async close(): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true });
    await stopServices();
  }

  /** A folder that does not exist yet. */
  freshFolder(): string {
    this.#folders += 1;
    return join(this.#dir, `folder-${this.#folders}`);
  }

  /** A new topic without records. */
  async emptyTopic(): Promise<string> {
    const name = `${topicPrefix()}bench`;
    await this.kafka.createTopic(name, { partitions: this.settings.partitions });
    return name;
  }

  /** The topic that holds all records. */
  filledTopic(): Promise<FilledTopic> {
    return this.#once('topic', async () => {
      const name = await this.emptyTopic();
      await fillTopic(this.kafka.brokers, name, this.settings);
      return { name, records: this.settings.records };
    });
  }

  rawTextFile(): Promise<string> {
    return this.#file('raw.txt', writeRawText);
  }

  parsedTextFile(): Promise<string> {
    return this.#file('parsed.txt', writeParsedText);
  }

  /** The rows of a table in COPY's binary format. */
  binaryFileOf(table: string): Promise<string> {
    return this.#once(`${table}.bin`, async () => {
      const file = join(this.#dir, `${table}.bin`);
      await this.psql.run(`\\copy ${table} TO '${file}' (FORMAT binary)`);
      return file;
    });
  }

  #file(name: string, write: (file: string, records: number, partitions: number) => Promise<void>): Promise<string> {
    return this.#once(name, async () => {
      const file = join(this.#dir, name);
      await write(file, this.settings.records, this.settings.partitions);
      return file;
    });
  }

  #once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = (this.#made.get(name) as Promise<T> | undefined) ?? this.#timed(name, make);
    this.#made.set(name, made);
    return made;
  }

  async #timed<T>(name: string, make: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const made = await make();
    this.preparationSeconds[name] = secondsSince(startedMs);
    console.error(`prepared ${name} (${this.preparationSeconds[name]} s)`);
    return made;
  }
}

interface Services {
  readonly kafka: KafkaService;
  readonly databaseUrl: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly seconds: number;
}

async function startServices(settings: Settings): Promise<Services> {
  const startedMs = performance.now();
  const versions: Record<string, string> = { psql: await Psql.version() };
  const say = (service: string) => (line: string) => {
    console.error(line);
    versions[service] = line;
  };
  const [kafka, postgres] = await Promise.all([
    kafkaService({ jvmOptions: settings.brokerJvm, say: say('kafka') }),
    postgresService({ settings: settings.postgres, say: say('postgres') }),
  ]);
  const database = await postgres.createDatabase('bench');
  versions.server = await new Psql(database.url).run('SELECT version()');
  return { kafka, databaseUrl: database.url, versions, seconds: secondsSince(startedMs) };
}

function secondsSince(startedMs: number): number {
  return Number(((performance.now() - startedMs) / 1_000).toFixed(1));
}
