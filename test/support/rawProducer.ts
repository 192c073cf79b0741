import { TidemarkError } from '../../src/errors.ts';
import { resolveClientOptions } from '../../src/kafka/clientOptions.ts';
import { Cluster } from '../../src/kafka/drivers/kafkajs/cluster.ts';
import type { BrokerAnswer, BrokerRequest, WireReader } from '../../src/kafka/protocol/index.ts';
import { WireWriter } from '../../src/kafka/protocol/index.ts';
import { brokerFailure } from '../../src/kafka/reading/index.ts';
import { systemClock } from '../../src/platform/index.ts';

/** Appends record batches as they are: what no client library writes (codecs, sizes, record counts) gets into a log by this. */
export interface RawProducer {
  /** Sends one record batch and returns the offset of its first record. */
  append(topic: string, partition: number, batch: Buffer): Promise<bigint>;
  close(): void;
}

export async function rawProducer(brokers: readonly string[]): Promise<RawProducer> {
  const cluster = new Cluster(resolveClientOptions({ brokers, clientId: 'tidemark-test-raw' }), systemClock);
  await cluster.bootstrap();
  return {
    append: (topic, partition, batch) =>
      cluster.retrying(async (attempt) => {
        if (attempt > 1 || cluster.metadata.topic(topic) === undefined) await cluster.refresh([topic]);
        const { address } = cluster.metadata.leader({ topic, partition });
        const { errorCode, errorMessage, baseOffset } = await cluster.ask(
          address,
          produceRequest(topic, partition, batch),
        );
        if (errorCode === 0) return baseOffset;
        throw brokerFailure(errorCode, {
          action: `append to ${topic}-${partition} (${errorMessage})`,
          topic,
          partition,
        });
      }),
    close: () => cluster.close(new TidemarkError('KAFKA_CLOSED', 'the raw producer was closed')),
  };
}

interface ProduceAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly baseOffset: bigint;
}

function produceRequest(topic: string, partition: number, batch: Buffer): BrokerRequest<ProduceAnswer> {
  return {
    apiKey: 0,
    apiName: 'Produce',
    apiVersion: 9,
    encode: () =>
      new WireWriter(batch.length + 256)
        .noTags()
        .string(null) // no transaction
        .int16(-1) // all replicas
        .int32(30_000)
        .array([topic], (name, writer) => {
          writer
            .string(name)
            .array([batch], (bytes, inner) => inner.int32(partition).nullableBytes(bytes).noTags())
            .noTags();
        })
        .noTags()
        .bytes(),
    decode: decodeProduce,
  };
}

function decodeProduce(reader: WireReader): ProduceAnswer {
  reader.taggedFields();
  const [topic] = reader.array((entry) => {
    entry.string();
    const [partition] = entry.array((element) => {
      element.int32(); // partition
      const errorCode = element.int16();
      const baseOffset = element.int64();
      element.int64(); // log append time
      element.int64(); // log start
      element.array((recordError) => {
        recordError.int32();
        recordError.nullableString();
        recordError.taggedFields();
      });
      const errorMessage = element.nullableString() ?? '';
      element.taggedFields();
      return { errorCode, errorMessage, baseOffset };
    });
    entry.taggedFields();
    return partition;
  });
  return { throttleMs: reader.int32(), ...(topic ?? { errorCode: -1, errorMessage: 'no answer', baseOffset: -1n }) };
}
