import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { guardedDirectory, spawnGuarded, tailOf } from '../services/guard.ts';
import { topicPrefix, waitUntil } from '../services/index.ts';

export interface LoadOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly recordsPerSecond: number;
}

/** What the client library believes; when leaders move it takes some for sent that are not, and sends some twice. */
export interface LoadCounts {
  readonly plain: number;
  readonly committed: number;
  readonly aborted: number;
  /** Sends and transactions of unknown fate. */
  readonly failures: number;
}

export interface Load {
  counts(): LoadCounts;
  /** Ends the transaction in hand, then the process. */
  stop(): Promise<LoadCounts>;
  /** For the end of a run that failed. */
  abandon(): void;
}

const program = fileURLToPath(new URL('./load.mjs', import.meta.url));

/** A constant load from a process of its own: see load.mjs. */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const logFile = join(guardedDirectory('load'), 'load.log');
  const argument = JSON.stringify({ ...options, transactionalId: `${topicPrefix()}load` });
  const child = await spawnGuarded({
    name: 'load',
    command: process.execPath,
    args: [program, argument],
    stopSignal: 'KILL',
    logFile,
  });
  const counts = (): LoadCounts => {
    // The last line may be half written.
    const [last = '{}'] = readFileSync(logFile, 'utf8').split('\n').slice(0, -1).slice(-1);
    const { plain = 0, committed = 0, aborted = 0, failures = 0 } = JSON.parse(last) as Partial<LoadCounts>;
    return { plain, committed, aborted, failures };
  };
  const giveUp = async () => {
    if (!child.alive()) throw new Error(`the load ended:\n${tailOf(logFile)}`);
  };
  await waitUntil('the load to flow', () => counts().plain > 0 && counts().committed > 0, { giveUp });
  return {
    counts,
    stop: async () => {
      child.signal('TERM');
      await child.ended();
      return counts();
    },
    abandon: () => child.signal('KILL'),
  };
}
