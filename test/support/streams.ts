import type { KafkaDriver, PartitionStream } from '../../src/kafka/index.ts';
import type { KafkaRecord, RecordChunk } from '../../src/model/index.ts';

/** A stream that collects what it reads and lets a test wait for it. */
export interface CollectedStream {
  readonly stream: PartitionStream;
  readonly chunks: readonly RecordChunk[];
  readonly records: readonly KafkaRecord[];
  /** Resolves when the condition holds; looks whenever the stream changes. Rejects when the stream ends first. */
  until(condition: (stream: PartitionStream) => boolean): Promise<void>;
}

export function collect(
  driver: KafkaDriver,
  start: { topic: string; partition: number; topicId: string; fromOffset: bigint; leaderEpoch?: number },
  options: Parameters<KafkaDriver['openFetcher']>[0] = {},
): CollectedStream {
  const chunks: RecordChunk[] = [];
  const records: KafkaRecord[] = [];
  let look = () => {};
  const onChange = () => {
    for (let chunk = stream.take(); chunk !== undefined; chunk = stream.take()) {
      chunks.push(chunk);
      for (const cursor = chunk.cursor(); cursor.next(); ) records.push(cursor.record());
    }
    look();
  };
  const stream = driver.openFetcher(options).follow({ ...start, onChange });
  return {
    stream,
    chunks,
    records,
    until: async (condition) => {
      while (!condition(stream)) {
        if (stream.error !== undefined) throw stream.error;
        await new Promise<void>((resolve) => {
          look = resolve;
        });
      }
    },
  };
}
