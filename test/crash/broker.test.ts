import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KafkaService, kafkaService, postgresService, type TestDatabase, waitUntil } from '../services/index.ts';
import { type KafkaDriverEnvironment, kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { appendRound, produceInput } from './input.ts';
import { newTrial, waitUntilDone } from './trial.ts';
import { all, expectKeptAtEnd, nth, paced } from './watching.ts';

let kafka: KafkaService;
let environment: KafkaDriverEnvironment;
let database: TestDatabase;

beforeAll(async () => {
  const [owned, postgres] = await Promise.all([kafkaService({ owned: true, proxied: true }), postgresService()]);
  kafka = owned;
  [environment, database] = await Promise.all([
    kafkaDriverEnvironment(kafka.brokers),
    postgres.createDatabase('broker'),
  ]);
});
afterAll(async () => {
  await environment.close();
  await kafka.stop();
  await database.drop();
});

const size = { filled: 3, recordsPerStep: 12 };

/** What happens to the broker, with the pipeline at work. */
const faults: Readonly<Record<string, () => Promise<void>>> = {
  'loses its connections': async () => {
    for (const proxy of kafka.proxies) proxy.cut();
  },
  'restarts in order': () => kafka.restart(),
  'is killed and started again': async () => {
    await kafka.killBroker(1);
    await kafka.startBroker(1);
  },
};

it.each(Object.entries(faults))('a broker that %s: nothing lost, nothing doubled', async (name, fault) => {
  const input = await produceInput(environment, { ...size, rounds: 2 });
  const trial = await newTrial({ database, brokers: kafka.proxiedBrokers, input, changes: paced });
  const pipeline = trial.define();
  const parked = all(pipeline, 'partitionParked');
  const degraded = all(pipeline, 'degraded');
  const recovered = all(pipeline, 'recovered');
  await pipeline.start();
  await nth(pipeline, 'rangeCommitted', 5);
  await fault();
  await appendRound(environment, input, size);
  await waitUntilDone(trial);
  // Once or more: a broker that comes up may answer, and then not know its partitions yet.
  if (name !== 'loses its connections') expect(degraded).not.toEqual([]);
  for (const { what } of degraded) expect(what).toBe('kafka');
  await waitUntil('the pipeline to recover', () => recovered.length === degraded.length);
  await expectKeptAtEnd(trial, pipeline);
  expect(parked).toEqual([]);
});
