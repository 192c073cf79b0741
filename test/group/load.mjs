/**
 * A process that writes into a topic at a constant rate, half of it plain and half in transactions of which some abort.
 * What really stands in the log is read back at the end, so it need not know the fate of what failed. SIGTERM ends it after its
 * transaction; it writes lines of JSON.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';

const { brokers, topic, partitions, recordsPerSecond, transactionalId } = JSON.parse(process.argv[2] ?? '{}');
const kafka = new Kafka({
  clientId: 'load',
  brokers,
  logLevel: logLevel.NOTHING,
  connectionTimeout: 2_000,
  requestTimeout: 5_000,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 20 },
});
const rate = recordsPerSecond / 2;
/** While brokers are away nothing is written; this much of it is made up for. */
const backlogMaxMs = 10_000;
const transactionEveryMs = 200;
const abortEvery = 5;
const outstandingMax = 8;
const patienceMs = 15_000;
const counts = { plain: 0, committed: 0, aborted: 0, failures: 0 };
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

function say(event) {
  process.stdout.write(`${JSON.stringify({ event, ...counts, at: Date.now() })}\n`);
}

/** Answers, whenever it is called, the records that are due by then, evenly over the partitions. */
function pace(prefix) {
  let sinceMs = performance.now();
  let owed = 0;
  let number = 0;
  return () => {
    const nowMs = performance.now();
    owed = Math.min(owed + ((nowMs - sinceMs) * rate) / 1_000, (backlogMaxMs * rate) / 1_000);
    sinceMs = nowMs;
    // What is made up for comes in pieces that a busy cluster can take.
    const count = Math.min(Math.floor(owed), Math.ceil(rate));
    owed -= count;
    return Array.from({ length: count }, () => {
      number += 1;
      return { partition: number % partitions, value: `${prefix}${number}` };
    });
  };
}

async function writePlain() {
  const producer = kafka.producer();
  await producer.connect();
  const due = pace('p');
  const outstanding = new Set();
  while (!stopping) {
    await delay(50);
    if (outstanding.size >= outstandingMax) continue;
    const messages = due();
    if (messages.length === 0) continue;
    const sending = producer
      .send({ topic, acks: -1, messages })
      .then(() => {
        counts.plain += messages.length;
      })
      .catch(() => {
        counts.failures += 1;
      })
      .finally(() => outstanding.delete(sending));
    outstanding.add(sending);
  }
  await Promise.all(outstanding);
  await producer.disconnect();
}

async function writeTransactions() {
  const due = pace('t');
  while (!stopping) {
    // The id is the same: initialising it ends what its predecessor left open.
    const producer = kafka.producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 10_000,
    });
    try {
      await within(producer.connect());
      for (let transactions = 1; !stopping; transactions += 1) {
        await delay(transactionEveryMs);
        await within(transact(producer, due(), transactions % abortEvery === 0));
      }
    } catch {
      counts.failures += 1;
    }
    await within(producer.disconnect()).catch(() => {});
  }
}

async function transact(producer, messages, aborts) {
  if (messages.length === 0) return;
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages });
  if (aborts) await transaction.abort();
  else await transaction.commit();
  counts[aborts ? 'aborted' : 'committed'] += messages.length;
}

/** A client that never answers must not end the load. */
async function within(work) {
  const patience = new AbortController();
  const late = delay(patienceMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error('no answer');
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    patience.abort();
    late.catch(() => {});
  }
}

say('started');
const progress = setInterval(() => say('progress'), 1_000);
await Promise.all([writePlain(), writeTransactions()]);
clearInterval(progress);
say('ended');
// A producer that hung may hold a connection.
process.exit(0);
