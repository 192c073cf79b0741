import { setTimeout as delay } from 'node:timers/promises';
import { failpointNames } from '../../src/platform/index.ts';
import type { Trial } from '../crash/trial.ts';
import type { Worker } from '../crash/workerProcess.ts';
import type { KafkaService, PostgresService, TcpProxy } from '../services/index.ts';
import type { Producer } from './producer.ts';
import type { Randomness } from './randomness.ts';

/** What a soak run does harm to. */
export interface Victims {
  readonly random: Randomness;
  readonly trial: Trial;
  readonly kafka: KafkaService;
  readonly postgres: PostgresService;
  /** Between the workers and the database. */
  readonly proxy: TcpProxy;
  readonly producer: Producer;
  /** Two processes of the pipeline. */
  readonly workers: (Worker | undefined)[];
}

/** Does the harm, and undoes what does not undo itself; answers what it did. */
type Fault = (victims: Victims) => Promise<string>;

/** With how often each happens beside the others. */
export const faults: readonly (readonly [weight: number, fault: Fault])[] = [
  [6, kill],
  [6, dieAtFailpoint],
  [4, freeze],
  [3, cutDatabase],
  [3, loseAnswers],
  [1, silenceDatabase],
  [1, restartDatabase],
  [2, cutBroker],
  [1, restartBroker],
  [2, orderClaims],
];

export function pickFault(random: Randomness): Fault {
  let left = random.between(
    1,
    faults.reduce((sum, [weight]) => sum + weight, 0),
  );
  for (const [weight, fault] of faults) {
    left -= weight;
    if (left <= 0) return fault;
  }
  return kill;
}

/** Starts a worker in the place of one that is gone, with options of its own: no mix of them may break the promise. */
export async function startInPlace(
  { random, trial, workers }: Victims,
  place: number,
  failpoint?: string,
): Promise<void> {
  const changes = {
    batch: {
      maxRecordsPerPartition: random.between(5, 200),
      transaction: random.pick(['partition', 'batch'] as const),
      intervalMs: random.pick([0, 0, 50] as const),
    },
    sink: { commitTimeoutMs: 2_000, connections: random.between(1, 3) },
  };
  workers[place] = await trial.start({ changes, start: { takeOver: random.next() < 0.1 } }, failpoint);
}

async function kill(victims: Victims): Promise<string> {
  const { random, workers } = victims;
  const place = random.between(0, workers.length - 1);
  await end(workers[place]);
  await startInPlace(victims, place);
  return `worker ${place} killed`;
}

async function dieAtFailpoint(victims: Victims): Promise<string> {
  const { random, workers } = victims;
  const place = random.between(0, workers.length - 1);
  await end(workers[place]);
  const [first, ...rest] = failpointNames;
  const failpoint = `${random.pick([first, ...rest])}@${random.between(1, 30)}:kill`;
  await startInPlace(victims, place, failpoint);
  return `worker ${place} to die at ${failpoint}`;
}

async function freeze({ random, workers }: Victims): Promise<string> {
  const place = random.between(0, workers.length - 1);
  const worker = workers[place];
  const ms = random.between(200, 9_000);
  if (worker?.alive() !== true) return `worker ${place} is dead already`;
  worker.signal('SIGSTOP');
  await delay(ms);
  if (worker.alive()) worker.signal('SIGCONT');
  return `worker ${place} frozen for ${ms} ms`;
}

async function cutDatabase({ proxy }: Victims): Promise<string> {
  proxy.cut();
  return 'connections to the database cut';
}

async function loseAnswers({ random, proxy }: Victims): Promise<string> {
  const verdict = random.pick(['loseReply', 'cut'] as const);
  proxy.onClientData((data) => (data.includes('COMMIT') && random.next() < 0.3 ? verdict : 'pass'));
  await delay(random.between(200, 1_500));
  proxy.resume();
  return `commits broken: ${verdict}`;
}

async function silenceDatabase({ random, proxy }: Victims): Promise<string> {
  const ms = random.between(500, 4_000);
  proxy.pause();
  await delay(ms);
  proxy.resume();
  return `database silent for ${ms} ms`;
}

async function restartDatabase({ random, postgres }: Victims): Promise<string> {
  const mode = random.pick(['fast', 'immediate'] as const);
  await postgres.restart(mode);
  return `database restarted, ${mode}`;
}

async function cutBroker({ kafka }: Victims): Promise<string> {
  for (const proxy of kafka.proxies) proxy.cut();
  return 'connections to the broker cut';
}

async function restartBroker({ kafka, producer }: Victims): Promise<string> {
  await producer.whilePaused(() => kafka.restart());
  return 'broker restarted';
}

async function orderClaims({ trial }: Victims): Promise<string> {
  await trial.sql('UPDATE ledger.offsets SET claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1');
  return 'claims taken back by an order';
}

async function end(worker: Worker | undefined): Promise<void> {
  if (worker === undefined) return;
  if (worker.alive()) worker.signal('SIGKILL');
  await worker.ended();
}
