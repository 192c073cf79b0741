import { setTimeout as delay } from 'node:timers/promises';
import type { PipelineOptions } from '../../src/index.ts';
import type { KafkaService, PostgresService, TcpProxy } from '../services/index.ts';
import { waitUntil } from '../services/index.ts';
import { freePort } from '../services/ports.ts';
import { type IntakeChild, startIntakeChild } from '../support/intakeChild.ts';
import { copyDirectory } from '../support/intakeWorld.ts';
import type { Randomness } from './randomness.ts';
import type { ReceiverLoad } from './receiverLoad.ts';

/** What a soak of receiver mode does harm to. */
export interface ReceiverVictims {
  readonly random: Randomness;
  readonly kafka: KafkaService;
  readonly postgres: PostgresService;
  /** Between the process and the database. */
  readonly proxy: TcpProxy;
  readonly load: ReceiverLoad;
  readonly options: PipelineOptions;
  readonly folder: string;
  start(): Promise<IntakeChild>;
  child: IntakeChild;
}

/** Does the harm, and undoes what does not undo itself; answers what it did. */
type Fault = (victims: ReceiverVictims) => Promise<string>;

const faults: readonly (readonly [weight: number, fault: Fault])[] = [
  [6, nothing],
  [6, kill],
  [3, stop],
  [3, freeze],
  [3, cutDatabase],
  [2, loseAnswers],
  [2, restartDatabase],
  [1, databaseDown],
  [1, brokerDown],
  [2, cutBroker],
  [2, secondProcess],
  [2, copiedDirectory],
];

/** Each run begins with these. */
export const longOutages: readonly Fault[] = [databaseDown, brokerDown];

export function pickReceiverFault({ random }: ReceiverVictims): Fault {
  let left = random.between(
    1,
    faults.reduce((sum, [weight]) => sum + weight, 0),
  );
  for (const [weight, fault] of faults) {
    left -= weight;
    if (left <= 0) return fault;
  }
  return nothing;
}

async function nothing({ random }: ReceiverVictims): Promise<string> {
  const ms = random.between(500, 4_000);
  await delay(ms);
  return `nothing for ${ms} ms`;
}

async function kill(victims: ReceiverVictims): Promise<string> {
  await end(victims.child, 'KILL');
  victims.child = await victims.start();
  return 'killed, and started again';
}

async function stop(victims: ReceiverVictims): Promise<string> {
  await end(victims.child, 'TERM');
  victims.child = await victims.start();
  return 'stopped, and started again';
}

async function freeze({ random, child }: ReceiverVictims): Promise<string> {
  const ms = random.between(200, 9_000);
  child.signal('STOP');
  await delay(ms);
  child.signal('CONT');
  return `frozen for ${ms} ms`;
}

async function cutDatabase({ proxy }: ReceiverVictims): Promise<string> {
  proxy.cut();
  return 'connections to the database cut';
}

async function loseAnswers({ random, proxy }: ReceiverVictims): Promise<string> {
  const verdict = random.pick(['loseReply', 'cut'] as const);
  proxy.onClientData((data) => (data.includes('COMMIT') && random.next() < 0.3 ? verdict : 'pass'));
  await delay(random.between(200, 1_500));
  proxy.resume();
  return `commits broken: ${verdict}`;
}

async function restartDatabase({ random, postgres }: ReceiverVictims): Promise<string> {
  const mode = random.pick(['fast', 'immediate'] as const);
  await postgres.restart(mode);
  return `database restarted, ${mode}`;
}

async function databaseDown({ postgres }: ReceiverVictims): Promise<string> {
  await postgres.restart('fast', () => delay(60_000));
  return 'database down for 60 s';
}

async function brokerDown({ kafka, load }: ReceiverVictims): Promise<string> {
  await load.whileNothingIsProduced(() => kafka.restart(() => delay(30_000)));
  return 'broker down for 30 s';
}

async function cutBroker({ kafka }: ReceiverVictims): Promise<string> {
  for (const proxy of kafka.proxies) proxy.cut();
  return 'connections to the broker cut';
}

/** On the same directory: it is told who has it. */
async function secondProcess(victims: ReceiverVictims): Promise<string> {
  const second = await startIntakeChild(victims.options);
  const { code } = await second.waitFor('failed');
  await second.ended();
  if (code !== 'WAL_LOCKED') throw new Error(`a second process on the directory ended with ${code}: ${second.tail()}`);
  return 'a second process was told that the directory is locked';
}

/** A copy is started beside the original, which lives: it stands by, and is stopped before it could take over. */
async function copiedDirectory({ options, folder, random, child }: ReceiverVictims): Promise<string> {
  const dir = await copyDirectory(options.wal?.dir ?? '', `${folder}/copy-${random.between(1, 1_000_000_000)}`);
  const source = {
    ...options.source,
    topics: undefined,
    receivers: [{ type: 'http', name: 'hooks', port: await freePort() }],
  };
  const copy = await startIntakeChild({
    ...options,
    kafka: undefined,
    source,
    wal: { ...options.wal, dir },
  } as PipelineOptions);
  await copy.waitFor('started').catch(() => {});
  await delay(random.between(100, 2_000));
  if (copy.alive()) copy.signal('KILL');
  await waitUntil('the copy to end', () => !copy.alive());
  return child.alive() ? 'a copy stood by for a while' : 'a copy stood by, and the original ended';
}

async function end(child: IntakeChild, signal: 'KILL' | 'TERM'): Promise<void> {
  if (child.alive()) child.signal(signal);
  await child.ended();
}
