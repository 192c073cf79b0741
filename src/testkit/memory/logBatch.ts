import { TidemarkError } from '../../errors.ts';
import { chunkOf } from '../../kafka/records/index.ts';
import type { KafkaRecord, TopicPartition } from '../../model/index.ts';
import { recordBatchLayout as at } from '../recordBatchEncoder.ts';

/** One record batch in a log, and what its header says. */
export interface LogBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly bytes: Buffer;
  readonly leaderEpoch: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
}

const producerIdAt = 43;
const bytesMax = 1 << 30;

/** A batch as it lies in the log: a copy with the offsets and the epoch it has there. Throws KAFKA_CORRUPT_BATCH, as a broker refuses it. */
export function storedBatch(of: TopicPartition, source: Buffer, baseOffset: bigint, leaderEpoch: number): LogBatch {
  const bytes = Buffer.from(source);
  if (bytes.length >= at.records) {
    bytes.writeBigInt64BE(baseOffset, at.baseOffset);
    bytes.writeInt32BE(leaderEpoch, at.leaderEpoch);
  }
  const chunk = chunkOf(fetched(of, bytes, baseOffset));
  const attributes = chunk === undefined ? 0 : bytes.readUInt16BE(at.attributes);
  if (chunk === undefined || at.leaderEpoch + bytes.readInt32BE(at.batchLength) !== bytes.length) {
    const { topic, partition } = of;
    const text = `What was to be appended to ${topic}-${partition} is not one whole record batch`;
    throw new TidemarkError('KAFKA_CORRUPT_BATCH', text, { topic, partition, fromOffset: baseOffset });
  }
  return {
    baseOffset,
    lastOffset: chunk.nextOffset - 1n,
    bytes,
    leaderEpoch,
    maxTimestamp: Number(bytes.readBigInt64BE(at.maxTimestamp)),
    producerId: bytes.readBigInt64BE(producerIdAt),
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
  };
}

/** The records of a batch; none of a control batch. */
export function recordsOf(of: TopicPartition, batch: LogBatch): KafkaRecord[] {
  const records: KafkaRecord[] = [];
  const cursor = chunkOf(fetched(of, batch.bytes, batch.baseOffset))?.cursor();
  while (cursor?.next() === true) records.push(cursor.record());
  return records;
}

/** Whether a control batch is the marker of an abort. */
export function isAbortMarker(batch: LogBatch): boolean {
  // Of its one record: length, attributes, timestamp delta, offset delta and key length are a byte each, then version and type.
  return batch.isControl && batch.bytes.readInt16BE(at.records + 7) === 0;
}

function fetched(of: TopicPartition, bytes: Buffer, fromOffset: bigint) {
  const { topic, partition } = of;
  return { topic, partition, bytes, fromOffset, abortedTransactions: [], batchBytesMax: bytesMax };
}
