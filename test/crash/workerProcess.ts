import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guardedDirectory, type ProcessEnd, spawnGuarded, tailOf } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';

/** What worker.mjs gets to run. */
export interface WorkerRun {
  /** Options of the pipeline, as JSON. */
  readonly options: Record<string, unknown>;
  /** One of the worker's transforms. */
  readonly transform?: 'split' | 'slowly' | 'blocked' | 'lingering';
  /** A build that breaks the promise; see seededSinks.mjs and seededReceivers.mjs. */
  readonly seeded?: 'ledgerOutside' | 'acknowledgesEarly' | 'forgetsAllocated' | 'keepsBlocksOfOtherClaims';
  readonly start?: Record<string, unknown>;
}

/** A line of the worker: an event of the pipeline with its facts as JSON, offsets as text. */
export interface WorkerEvent {
  readonly event: string;
  /** ms since 1970, when it was written. */
  readonly at: number;
  readonly [fact: string]: unknown;
}

export interface Worker {
  readonly pid: number;
  /** What it told so far, or that of one or some names. */
  events(names?: string | readonly string[]): readonly WorkerEvent[];
  /** Waits for the n-th event of these names (default the first). */
  waitFor(names: string | readonly string[], nth?: number): Promise<WorkerEvent>;
  /** Waits until a signal, its own or somebody's, has stopped it (SIGSTOP). */
  waitUntilStopped(): Promise<void>;
  alive(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** The last lines it wrote, for a failed expectation. */
  logTail(): string;
  /** How it ended: a signal, or an exit code. */
  ended(): Promise<ProcessEnd>;
}

/** Below the limit of a test, so that it is the worker's own words that are read. */
const limitMs = 45_000;
const program = fileURLToPath(new URL('./worker.mjs', import.meta.url));

/** Starts a real process on the built package; it cannot outlive the test run. */
export async function startWorker(runs: readonly WorkerRun[], failpoint?: string): Promise<Worker> {
  const logFile = join(guardedDirectory('worker'), 'events.log');
  const child = await spawnGuarded({
    name: 'worker',
    command: process.execPath,
    args: [program, JSON.stringify(runs)],
    stopSignal: 'KILL',
    logFile,
    env: failpoint === undefined ? {} : { TIDEMARK_FAILPOINT: failpoint },
  });
  const events = (names?: string | readonly string[]) =>
    eventsIn(logFile).filter(({ event }) => names === undefined || [names].flat().includes(event));
  const giveUp = async () => {
    if (!child.alive()) throw new Error(`the worker ended:\n${tailOf(logFile)}`);
  };
  return {
    pid: child.pid,
    events,
    waitFor: (names, nth = 1) =>
      waitUntil(`event ${nth} ${names} of the worker`, () => events(names)[nth - 1], { giveUp, limitMs }).catch(
        (error: Error) => {
          throw new Error(`${error.message}\n${tailOf(logFile)}`);
        },
      ),
    waitUntilStopped: async () => {
      await waitUntil('the worker to be stopped', () => stateOf(child.pid) === 'T', { giveUp, limitMs });
    },
    alive: child.alive,
    signal: (signal) => {
      process.kill(child.pid, signal);
    },
    logTail: () => tailOf(logFile),
    ended: () => child.ended(),
  };
}

function eventsIn(logFile: string): WorkerEvent[] {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  // The last line may be half written.
  return lines.slice(0, -1).flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as WorkerEvent] : []));
}

/** Linux's letter for what a process is doing: `T` = stopped by a signal. */
function stateOf(pid: number): string | undefined {
  return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}
