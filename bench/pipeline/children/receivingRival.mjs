/**
 * What a service would write itself: kafkajs' `eachBatch`, every batch as one entry of the same log (length and bytes of each
 * value), its offset committed when that is durable. Task: {brokers, topic, groupId, records, dir}.
 */
import { Kafka, logLevel } from 'kafkajs';
import { openWal } from '../../../dist/wal/index.js';
import { done, Meter, task, tell } from './meter.mjs';

const { brokers, topic, groupId, records, dir } = task();
const meter = new Meter();
const log = await openWal({ dir });
const kafka = new Kafka({ clientId: 'tidemark-bench-receiving', brokers, logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });

let logged = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  // As many as there are partitions: the log shares its fsync among them.
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch, resolveOffset }) => {
    meter.start();
    const { partition, messages } = batch;
    await log.append(entryOf(messages));
    await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(batch.lastOffset()) + 1n) }]);
    resolveOffset(batch.lastOffset());
    logged += messages.length;
    meter.lap();
    if (logged >= records) finish();
  },
});
await finished;
await tell(meter.report(logged));
await consumer.disconnect();
await log.close();
done();

function entryOf(messages) {
  const entry = Buffer.allocUnsafe(messages.reduce((bytes, { value }) => bytes + 4 + value.length, 0));
  let at = 0;
  for (const { value } of messages) {
    at = entry.writeUInt32BE(value.length, at);
    at += value.copy(entry, at);
  }
  return entry;
}
