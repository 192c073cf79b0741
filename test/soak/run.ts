/**
 * npm run soak [-- --minutes N] [--seed N]: two processes of one pipeline on services of their own, with a producer that
 * commits and aborts, while everything that can break is broken at random. The promise is checked all the time.
 * The seed gives the same faults in the same order again, though not at the same instants.
 *
 * npm run soak -- --group [--minutes N] [--rate N] [--protocols all|kafkajs:eager,…] [--seed N]: the proof of test/group, up to
 * four processes of a consumer group on three brokers.
 *
 * npm run soak -- --receiver [--minutes N] [--seed N]: one process of receiver mode, while its broker, its database, the process
 * itself and its directory have all that can happen to them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { summaryOf } from '../crash/checker.ts';
import { produceInput } from '../crash/input.ts';
import { expectKept, newTrial, waitUntilDone } from '../crash/trial.ts';
import type { Worker } from '../crash/workerProcess.ts';
import {
  checkPrerequisites,
  kafkaService,
  postgresService,
  stopServices,
  tcpProxy,
  waitUntil,
} from '../services/index.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { pickFault, startInPlace, type Victims } from './faults.ts';
import { soakGroups } from './groups.ts';
import { Producer, size } from './producer.ts';
import { randomness } from './randomness.ts';
import { soakReceiver } from './receiver.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    group: { type: 'boolean', default: false },
    receiver: { type: 'boolean', default: false },
    rate: { type: 'string', default: '20000' },
    protocols: { type: 'string', default: 'all' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);

const startedMs = performance.now();
const say = (line: string) => {
  const seconds = Math.floor((performance.now() - startedMs) / 1_000);
  console.log(`${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')} ${line}`);
};

process.exitCode = await main().finally(stopServices);

async function main(): Promise<number> {
  const { ok, lines } = await checkPrerequisites();
  if (!ok) {
    for (const line of lines) console.error(line);
    return 2;
  }
  if (values.group) {
    return soakGroups({ minutes, seed, recordsPerSecond: Number(values.rate), protocols: values.protocols, say });
  }
  if (values.receiver) return soakReceiver({ minutes, seed, say });
  say(`seed ${seed}, ${minutes} minutes`);
  const [kafka, postgres] = await Promise.all([
    kafkaService({ owned: true, proxied: true, say }),
    postgresService({ owned: true, say }),
  ]);
  const environment = await kafkaDriverEnvironment(kafka.brokers);
  const proxy = await tcpProxy(postgres);
  const database = await postgres.createDatabase('soak');
  const url = new URL(database.url);
  url.host = `${proxy.host}:${proxy.port}`;
  const input = await produceInput(environment, { ...size, rounds: 1 });
  const pipelineUrl = url.toString();
  const trial = await newTrial({ database, brokers: kafka.proxiedBrokers, input, pipelineUrl, transform: 'split' });
  const workers: (Worker | undefined)[] = [undefined, undefined];
  const producer = new Producer(environment, input);
  const victims = { random: randomness(seed), trial, kafka, postgres, proxy, workers, producer };
  try {
    for (const place of workers.keys()) await startInPlace(victims, place);
    await waitUntil('the ledger', async () => (await trial.nextOffsets()).length === input.partitions);
    await soak(victims);
    say('no more faults; waiting for the end of the work');
    for (const [place, worker] of workers.entries()) if (worker?.alive() !== true) await startInPlace(victims, place);
    await waitUntilDone(trial, 120_000);
    await expectKept(trial);
    const [{ rows } = { rows: 0 }] = await trial.sql<{ rows: number }>('SELECT count(*)::int AS rows FROM target');
    say(`kept: ${input.produced.length} records produced, ${rows} rows, no gap, no duplicate; seed ${seed}`);
    return 0;
  } catch (error) {
    say(`BROKEN with seed ${seed}: ${(error as Error).message}`);
    return 1;
  } finally {
    for (const worker of workers) if (worker?.alive() === true) worker.signal('SIGKILL');
    await environment.close();
    await proxy.close();
  }
}

/** Faults one after the other, and records all the while. Rejects with what is wrong as soon as it is. */
async function soak(victims: Victims): Promise<void> {
  const { producer, random, trial, workers } = victims;
  const producing = producer.run();
  try {
    while (performance.now() - startedMs < minutes * 60_000) {
      await delay(random.between(100, 3_000));
      say(await pickFault(random)(victims));
      for (const [place, worker] of workers.entries()) {
        if (worker?.alive() === false) await startInPlace(victims, place);
      }
      const violations = await producer.whilePaused(() => trial.violations());
      if (violations.length > 0) throw new Error(summaryOf(violations));
    }
  } finally {
    producer.stop();
    await producing;
  }
}
