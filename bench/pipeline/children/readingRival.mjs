/**
 * Reading only, by a client's own consumer: `eachBatch`, every value looked at.
 * Task: {brokers, topic, groupId, client: 'kafkajs' | 'confluent', records}.
 */
import { done, Meter, task, tell } from './meter.mjs';

const { brokers, topic, groupId, client, records } = task();
const meter = new Meter();
const consumer = client === 'kafkajs' ? await kafkajsConsumer() : await confluentConsumer();
await consumer.connect();
await consumer.subscribe({ topics: [topic] });

let read = 0;
let valueBytes = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
await consumer.run({
  eachBatch: async ({ batch }) => {
    meter.start();
    for (const { value } of batch.messages) {
      read += 1;
      valueBytes += value.length;
    }
    meter.lap();
    if (read >= records) finish();
  },
});
await finished;
// Before the consumer leaves its group, which no one waits for here.
if (valueBytes <= records) throw new Error('values are missing');
await tell(meter.report(read));
await consumer.disconnect();
done();

async function kafkajsConsumer() {
  const { Kafka, logLevel } = await import('kafkajs');
  const kafka = new Kafka({ clientId: 'tidemark-bench-reading', brokers, logLevel: logLevel.NOTHING });
  const made = kafka.consumer({ groupId });
  return {
    connect: () => made.connect(),
    subscribe: (what) => made.subscribe({ ...what, fromBeginning: true }),
    run: (how) => made.run(how),
    disconnect: () => made.disconnect(),
  };
}

async function confluentConsumer() {
  const { requireOptionalPackage } = await import('../../../dist/platform/index.js');
  const library = requireOptionalPackage('@confluentinc/kafka-javascript', 'TIDEMARK_CONFLUENT_DIR');
  const { Kafka, logLevel } = library.KafkaJS;
  const kafka = new Kafka({ kafkaJS: { clientId: 'tidemark-bench-reading', brokers, logLevel: logLevel.NOTHING } });
  return kafka.consumer({ kafkaJS: { groupId, fromBeginning: true } });
}
