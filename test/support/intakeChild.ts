import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineOptions } from '../../src/index.ts';
import { guardedDirectory, type ProcessEnd, type StopSignal, spawnGuarded, tailOf } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';

/** A process of its own with one pipeline, on the sources. */
export interface IntakeChild {
  readonly pid: number;
  /** Waits for an event. */
  waitFor(event: string): Promise<Readonly<Record<string, unknown>>>;
  alive(): boolean;
  signal(signal: StopSignal | 'STOP' | 'CONT'): void;
  ended(): Promise<ProcessEnd>;
  /** The last lines it wrote. */
  tail(): string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = fileURLToPath(new URL('./intakeProcess.ts', import.meta.url));

/** `isolation`: a command that runs the process. It cannot outlive the test run. */
export async function startIntakeChild(
  options: PipelineOptions,
  isolation: readonly string[] = [],
): Promise<IntakeChild> {
  const logFile = join(guardedDirectory('intake'), 'events.log');
  const node = [process.execPath, '--import', 'jiti/register', program, JSON.stringify(options)];
  const [command = '', ...args] = [...isolation, ...node];
  const child = await spawnGuarded({ name: 'intake', command, args, stopSignal: 'KILL', logFile, cwd: root });
  const told = () => {
    const lines = readFileSync(logFile, 'utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  };
  const find = (event: string) => told().find((one) => one.event === event);
  return {
    pid: child.pid,
    waitFor: (event) =>
      waitUntil(`'${event}' of the process`, () => find(event), {
        giveUp: async () => {
          if (!child.alive() && find(event) === undefined) throw new Error(`it ended: ${tailOf(logFile)}`);
        },
      }),
    alive: child.alive,
    signal: (signal) => {
      process.kill(child.pid, `SIG${signal}`);
    },
    ended: child.ended,
    tail: () => tailOf(logFile),
  };
}
