import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import {
  type Fetcher,
  type FetcherOptions,
  type KafkaDriver,
  type PartitionStream,
  readRange,
} from '../../kafka/index.ts';
import { type KafkaRecord, OffsetRange, type RecordChunk } from '../../model/index.ts';
import type { DriverSuite } from './suite.ts';

/** A topic, a connected driver and a fetcher of it: what most tests begin with. */
export interface Scene {
  readonly driver: KafkaDriver;
  readonly fetcher: Fetcher;
  readonly topic: string;
  readonly topicId: string;
  /** Reads `[from, until)` of a partition and checks that the chunks cover exactly that. */
  read(from: bigint | number, until: bigint | number, partition?: number): Promise<KafkaRecord[]>;
  /** Follows a partition; see `Followed`. */
  follow(from: bigint | number, partition?: number): Followed;
}

export interface SceneOptions {
  readonly partitions?: number;
  readonly config?: Readonly<Record<string, string>>;
  readonly fetcher?: Partial<FetcherOptions>;
}

export async function withScene(
  suite: DriverSuite,
  use: (scene: Scene) => Promise<void>,
  options: SceneOptions = {},
): Promise<void> {
  const topic = await suite.environment.createTopic({
    partitions: options.partitions ?? 1,
    config: options.config ?? {},
  });
  const driver = await suite.environment.newDriver();
  try {
    await driver.connect();
    const topicId = await topicIdOf(driver, topic);
    const fetcher = driver.openFetcher(options.fetcher);
    await use({
      driver,
      fetcher,
      topic,
      topicId,
      read: (from, until, partition = 0) => {
        const range = new OffsetRange(topic, partition, BigInt(from), BigInt(until));
        return readExactly(suite, fetcher, topicId, range);
      },
      follow: (from, partition = 0) => new Followed(fetcher, { topic, partition, topicId, fromOffset: BigInt(from) }),
    });
  } finally {
    await driver.close();
  }
}

export async function topicIdOf(driver: KafkaDriver, topic: string): Promise<string> {
  const [description] = await driver.describeTopics([topic]);
  if (description === undefined) throw new Error(`describeTopics gave nothing for ${topic}`);
  return description.topicId;
}

async function readExactly(
  suite: DriverSuite,
  fetcher: Fetcher,
  topicId: string,
  range: OffsetRange,
): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = [];
  let position = range.fromOffset;
  for await (const chunk of readRange(fetcher, { topicId, range })) {
    suite.assert.equal(chunk.fromOffset, position, 'a chunk begins where the one before ended');
    position = chunk.nextOffset;
    for (const record of recordsOf(chunk)) records.push(record);
  }
  suite.assert.equal(position, range.untilOffset, 'the chunks end with the range');
  const outside = records.filter(({ offset }) => offset < range.fromOffset || offset >= range.untilOffset);
  suite.assert.equal(outside.length, 0, 'no record outside of the range');
  return records;
}

export function recordsOf(chunk: RecordChunk): KafkaRecord[] {
  const records: KafkaRecord[] = [];
  for (const cursor = chunk.cursor(); cursor.next(); ) records.push(cursor.record());
  return records;
}

/** A stream with a way to wait for what happens to it. */
export class Followed {
  readonly stream: PartitionStream;
  #changed = () => {};

  constructor(fetcher: Fetcher, start: { topic: string; partition: number; topicId: string; fromOffset: bigint }) {
    this.stream = fetcher.follow({ ...start, onChange: () => this.#changed() });
  }

  /** Waits until the condition holds; looks again whenever the stream calls `onChange`. */
  async until(condition: (stream: PartitionStream) => boolean): Promise<void> {
    while (!condition(this.stream)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  /** Takes chunks until one reaches `offset`, and gives their records. */
  async takeUntil(offset: bigint | number): Promise<KafkaRecord[]> {
    const records: KafkaRecord[] = [];
    while (this.stream.takenUntil < BigInt(offset)) {
      const chunk = this.stream.take();
      if (chunk !== undefined) records.push(...recordsOf(chunk));
      else if (this.stream.error !== undefined) throw this.stream.error;
      else await this.until((stream) => stream.fetchedUntil > stream.takenUntil || stream.error !== undefined);
    }
    return records;
  }

  /** Waits for the stream to end and gives its error. */
  async failure(): Promise<TidemarkError> {
    await this.until((stream) => stream.error !== undefined);
    return asTidemark(this.stream.error);
  }
}

/** The error a promise rejects with, which must be one of ours. */
export async function rejection(promise: Promise<unknown>): Promise<TidemarkError> {
  try {
    await promise;
  } catch (error) {
    return asTidemark(error);
  }
  throw new Error('it did not reject');
}

function asTidemark(error: unknown): TidemarkError {
  if (!isTidemarkError(error)) throw new Error(`not a tidemark error: ${String(error)}`, { cause: error });
  return error;
}

/** Records whose values say where they are: `prefix0`, `prefix1`, … */
export function numbered(count: number, prefix = ''): { value: string }[] {
  return Array.from({ length: count }, (_, index) => ({ value: `${prefix}${index}` }));
}

export function texts(records: readonly KafkaRecord[]): (string | null)[] {
  return records.map((record) => record.text());
}

export function offsets(records: readonly KafkaRecord[]): number[] {
  return records.map(({ offset }) => Number(offset));
}
