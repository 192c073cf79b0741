import { Kafka, logLevel } from 'kafkajs';

const partitions = 8;
const perRequest = 4000;
const currencies = ['EUR', 'USD', 'GBP', 'JPY'];

/** Every 50th order is cancelled: the transform drops it. */
export function isCancelled(id: number): boolean {
  return id % 50 === 49;
}

export function cancelledAmong(count: number): number {
  return Math.floor(count / 50);
}

/** Writes order events into the topic, all partitions in turn. Resolves when the broker has them all. */
export async function produceOrders(broker: string, topic: string, count: number): Promise<void> {
  const kafka = new Kafka({ clientId: 'demo', brokers: [broker], logLevel: logLevel.NOTHING });
  // A retry of the producer must not put an order into the topic twice: the table would have it twice, rightly.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  try {
    for (let from = 0; from < count; from += perRequest) {
      const messages = Array.from({ length: Math.min(perRequest, count - from) }, (_, index) => order(from + index));
      await producer.send({ topic, messages });
    }
  } finally {
    await producer.disconnect();
  }
}

function order(id: number) {
  const account = `account-${(id * 7919) % 10_000}`;
  const value = JSON.stringify({
    id,
    account,
    amount: ((id % 100_000) / 100).toFixed(2),
    currency: currencies[id % currencies.length],
    placedAt: new Date(1_767_225_600_000 + id * 1000).toISOString(),
    cancelled: isCancelled(id),
    note: 'an order event of about two hundred bytes',
  });
  return { partition: id % partitions, key: account, value };
}

export const topicOptions = { partitions };
