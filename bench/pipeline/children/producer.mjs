/**
 * A steady stream of records into a topic. Task: {brokers, topic, partitions, recordsPerSecond, seconds, values}.
 * Reports what it sent when: [partition, baseOffset, count, sentMs, answeredMs] by the clock that processes share.
 */
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { done, sharedClockMs, task, tell } from './meter.mjs';

const { brokers, topic, partitions, recordsPerSecond, seconds, values } = task();
const tickMs = 2;
const kafka = new Kafka({ clientId: 'tidemark-bench-producer', brokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
const sends = [];
const pending = [];
const total = recordsPerSecond * seconds;
const startedMs = performance.now();
let sent = 0;
let turn = 0;
while (sent < total) {
  const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1_000) * recordsPerSecond));
  if (due > sent) {
    pending.push(send(turn++ % partitions, due - sent));
    sent = due;
  }
  await new Promise((resolve) => setTimeout(resolve, tickMs));
}
await Promise.all(pending);
await producer.disconnect();
await tell({ kind: 'report', sends });
done();

async function send(partition, count) {
  const messages = Array.from({ length: count }, (_, index) => ({ partition, value: values[index % values.length] }));
  const sentMs = sharedClockMs();
  const [answer] = await producer.send({ topic, messages, acks: -1 });
  sends.push([partition, Number(answer.baseOffset), count, sentMs, sharedClockMs()]);
}
