import { rawProducer } from '../../test/support/rawProducer.ts';
import { type PlainRecord, plainRecordBatch } from './batchWriter.ts';
import { eventJson, orderEvent } from './orderEvents.ts';
import type { Settings } from './settings.ts';

/** Requests of a partition on their way at once: keeps the broker busy while the next batches are made. */
const inFlightMax = 8;

/** Writes the records of the bench into an empty topic: record i goes to partition i mod n, in order. */
export async function fillTopic(brokers: readonly string[], topic: string, settings: Settings): Promise<void> {
  const partitions = Array.from({ length: settings.partitions }, (_, partition) => partition);
  await Promise.all(
    partitions.map(async (partition) => {
      // A connection each: the broker works on one request of a connection at a time.
      const producer = await rawProducer(brokers);
      try {
        await fillPartition(partition, settings, (batch) => producer.append(topic, partition, batch));
      } finally {
        producer.close();
      }
    }),
  );
}

async function fillPartition(
  partition: number,
  settings: Settings,
  append: (batch: Buffer) => Promise<bigint>,
): Promise<void> {
  const { partitions, records, recordsPerBatch } = settings;
  const inFlight: Promise<void>[] = [];
  let offset = 0;
  for (let index = partition; index < records; ) {
    const batch: PlainRecord[] = [];
    for (; batch.length < recordsPerBatch && index < records; index += partitions) batch.push(recordOf(index));
    inFlight.push(appendAt(offset, append(plainRecordBatch(batch))));
    offset += batch.length;
    // The first one alone: it looks up the leader, and nothing may overtake it.
    if (inFlight.length >= inFlightMax || offset === batch.length) await inFlight.shift();
  }
  await Promise.all(inFlight);
}

/** The files for `\copy` know each record's offset before it is written. */
async function appendAt(offset: number, appended: Promise<bigint>): Promise<void> {
  const baseOffset = await appended;
  if (baseOffset !== BigInt(offset)) throw new Error(`a batch meant for offset ${offset} is at ${baseOffset}`);
}

function recordOf(index: number): PlainRecord {
  const event = orderEvent(index);
  return { value: eventJson(event), timestampMs: Date.parse(event.created) };
}
