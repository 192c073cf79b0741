import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { appendPlain, type Input, produceInput } from '../crash/input.ts';
import { expectKept, newTrial, type OptionChanges, type Trial, type TrialRun, waitUntilDone } from '../crash/trial.ts';
import type { Worker, WorkerEvent } from '../crash/workerProcess.ts';
import { type TestDatabase, waitUntil } from '../services/index.ts';
import type { KafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import type { MembershipWay } from './memberships.ts';

/** A pipeline whose processes share their partitions by a consumer group, under a constant load. */
export interface GroupTrial extends Trial {
  /** All but the last are written into. */
  readonly partitions: number;
  /** A process, and its way to the brokers where that is not the usual one. */
  member(run?: TrialRun & { readonly brokers?: readonly string[] }, failpoint?: string): Promise<Worker>;
  /** Waits until the processes hold every partition between them, and none of them nothing. */
  shared(...workers: readonly Worker[]): Promise<void>;
  endLoad(): Promise<void>;
  /** Ends the load, waits until everything is read, stops the processes, and expects the promise to be kept. */
  finishWith(...workers: readonly Worker[]): Promise<void>;
}

export interface GroupTrialSetting {
  readonly environment: KafkaDriverEnvironment;
  readonly brokers: readonly string[];
  readonly database: TestDatabase;
}

export interface GroupTrialOptions {
  readonly way: MembershipWay;
  /** Partitions with records; one more stays empty. Default 3. */
  readonly filled?: number;
  /** Default 4 000, as the broker of the tests has it for the protocol `consumer`. */
  readonly sessionTimeoutMs?: number;
  readonly changes?: OptionChanges;
}

/** Limit of a test with several processes, on a slow machine; most of it is waiting for the sessions of those who are gone. */
export const groupTestMs = 180_000;
export const usualSessionMs = 4_000;
const heartbeatIntervalMs = 500;
const loadEveryMs = 100;

export async function groupTrial(setting: GroupTrialSetting, options: GroupTrialOptions): Promise<GroupTrial> {
  const { environment, brokers, database } = setting;
  const { driver, protocol } = options.way;
  const { filled = 3, sessionTimeoutMs = usualSessionMs } = options;
  const input = await produceInput(environment, { filled, rounds: 1, recordsPerStep: 12 });
  const { source = {}, ...others } = options.changes ?? {};
  const trial = await newTrial({
    database,
    brokers,
    input,
    changes: {
      kafka: { driver },
      source: {
        assignment: 'group',
        groupId: input.topic,
        group: { protocol, sessionTimeoutMs, heartbeatIntervalMs, revokeTimeoutMs: 3_000 },
        ...(source as object),
      },
      ...others,
    },
  });
  const load = constantLoad(environment, input, filled);
  const isShared = (workers: readonly Worker[]) => {
    const holdings = workers.map((worker) => (worker.events('started').length > 0 ? heldBy(worker) : new Set()));
    return holdings.every(({ size }) => size > 0) && new Set(holdings.flatMap((held) => [...held])).size === filled + 1;
  };
  return {
    ...trial,
    partitions: filled + 1,
    member: ({ brokers: own, changes = {}, ...run } = {}, failpoint) =>
      trial.start(
        { ...run, changes: own === undefined ? changes : { ...changes, kafka: { brokers: own } } },
        failpoint,
      ),
    shared: async (...workers) => {
      await waitUntil('the partitions to be shared', () => isShared(workers)).catch((error: Error) => {
        throw new Error([error.message, ...workers.map((worker) => worker.logTail())].join('\n'));
      });
    },
    endLoad: () => load.end(),
    finishWith: async (...workers) => {
      await load.end();
      await waitUntilDone(trial).catch((error: Error) => {
        throw new Error([error.message, ...workers.map((worker) => worker.logTail())].join('\n'));
      });
      for (const worker of workers) worker.signal('SIGTERM');
      for (const worker of workers) expect(await worker.ended(), worker.logTail()).toEqual({ signal: null, code: 0 });
      await expectKept(trial);
    },
  };
}

/** The same number of records into every partition, again and again. */
function constantLoad(environment: KafkaDriverEnvironment, input: Input, filled: number): { end(): Promise<void> } {
  const partitions = Array.from({ length: filled }, (_, partition) => partition);
  let ended = false;
  const running = (async () => {
    while (!ended) {
      await Promise.all([appendPlain(environment, input, partitions, 5), delay(loadEveryMs)]);
    }
  })();
  // Who never ends it is a test that failed already.
  running.catch(() => {});
  return {
    end: () => {
      ended = true;
      return running;
    },
  };
}

/** Partitions a process holds, by what it told. */
export function heldBy(worker: Worker): ReadonlySet<number> {
  const held = new Set<number>();
  for (const { event, partition } of worker.events(['partitionClaimed', 'partitionReleased', 'partitionFenced'])) {
    if (event === 'partitionClaimed') held.add(Number(partition));
    else held.delete(Number(partition));
  }
  return held;
}

/** Waits until an event is told that a question answers with yes. */
export function told(worker: Worker, name: string, isMeant: (event: WorkerEvent) => boolean): Promise<WorkerEvent> {
  return waitUntil(`${name} of the worker`, () => worker.events(name).find(isMeant)).catch((error: Error) => {
    throw new Error(`${error.message}\n${worker.logTail()}`);
  });
}

/** How others know a process. */
export async function instanceIdOf(worker: Worker): Promise<string> {
  return String((await worker.waitFor('started')).instanceId);
}

export function errorOf(event: WorkerEvent): { readonly code: string; readonly message: string } {
  return event.error as { code: string; message: string };
}
