/**
 * The rival: kafkajs `eachBatch`, rows by multi-row INSERT, prepared, offsets committed after the rows.
 * Task: {brokers, topic, groupId, databaseUrl, insert, conflict, isParsed, rowsPerInsert, records}.
 */
import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { done, Meter, task, tell } from './meter.mjs';

const { brokers, topic, groupId, databaseUrl, insert, conflict, isParsed, rowsPerInsert, records } = task();
const meter = new Meter();
const database = new pg.Client({ connectionString: databaseUrl });
await database.connect();
const kafka = new Kafka({ clientId: 'tidemark-bench-rival', brokers, logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId });
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });

const statements = new Map();
let written = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat }) => {
    meter.start();
    const { partition, messages } = batch;
    for (let from = 0; from < messages.length; from += rowsPerInsert) {
      const part = messages.slice(from, from + rowsPerInsert);
      const values = [];
      for (const message of part) addValues(values, partition, message);
      await database.query({ ...statementFor(part.length, values.length / part.length), values });
      resolveOffset(part.at(-1).offset);
      await heartbeat();
      written += part.length;
    }
    // After the rows: a crash in between repeats rows and loses none.
    const offset = String(BigInt(messages.at(-1).offset) + 1n);
    await consumer.commitOffsets([{ topic, partition, offset }]);
    meter.lap();
    if (written >= records) finish();
  },
});
await finished;
await consumer.disconnect();
await database.end();
await tell(meter.report(written));
done();

function addValues(values, partition, message) {
  if (!isParsed) {
    values.push(partition, message.offset, message.value.toString());
    return;
  }
  const { id, account, amount, quantity, paid, created, currency, note } = JSON.parse(message.value.toString());
  values.push(id, account, amount, quantity, paid, created, currency, note);
}

function statementFor(rows, columns) {
  let statement = statements.get(rows);
  if (statement === undefined) {
    const row = (index) => `(${Array.from({ length: columns }, (_, column) => `$${index * columns + column + 1}`)})`;
    const text = `${insert} VALUES ${Array.from({ length: rows }, (_, index) => row(index))} ${conflict}`;
    // A name makes it a prepared one; the odd sizes at the ends of batches are not worth one.
    statement = rows === rowsPerInsert ? { name: 'insert', text } : { text };
    if (rows === rowsPerInsert) statements.set(rows, statement);
  }
  return statement;
}
