import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { guardedDirectory, type StopSignal, spawnGuarded } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';
import { type CliEnd, runCli } from './cli.ts';

/** The built command. */
export const commandFile = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CommandOptions {
  readonly cwd?: string;
  /** Beside PATH; nothing else is inherited. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a command that ends by itself. */
export function tidemark(args: readonly string[], { cwd, environment = {} }: CommandOptions = {}): Promise<CliEnd> {
  return runCli(args, { env: environment, ...(cwd === undefined ? {} : { cwd }) });
}

/** A command that runs until something happens; it ends with the test at the latest, and with the test runner. */
export interface RunningCommand {
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** The log so far: lines of JSON on standard error. */
  log(): readonly Record<string, unknown>[];
  /** Waits for a line of the log. */
  logged(msg: string): Promise<Record<string, unknown>>;
  /** Waits for the address of its HTTP server. */
  url(): Promise<string>;
  signal(signal: StopSignal): void;
  ended(): Promise<CliEnd>;
}

export async function startTidemark(args: readonly string[], options: CommandOptions = {}): Promise<RunningCommand> {
  const dir = guardedDirectory('tidemark');
  const [out, err] = [join(dir, 'stdout'), join(dir, 'stderr')];
  const environment = Object.entries({ PATH: process.env.PATH ?? '', ...options.environment });
  const child = await spawnGuarded({
    name: 'tidemark',
    command: 'env',
    args: [
      '-i',
      ...environment.map(([name, value]) => `${name}=${value}`),
      ...['sh', '-c', 'out=$1 err=$2; shift 2; exec "$@" >"$out" 2>"$err"', 'sh', out, err],
      ...[process.execPath, built(), ...args],
    ],
    stopSignal: 'KILL',
    logFile: join(dir, 'spawn.log'),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  onTestFinished(() => child.signal('KILL'));
  const running: RunningCommand = {
    pid: child.pid,
    stdout: () => readFileSync(out, 'utf8'),
    stderr: () => readFileSync(err, 'utf8'),
    log: () => linesOf(err),
    logged: (msg) =>
      waitUntil(`the line '${msg}'`, () => linesOf(err).find((line) => line.msg === msg), {
        giveUp: async () => {
          if (child.alive() || linesOf(err).some((line) => line.msg === msg)) return;
          throw new Error(`it ended without the line '${msg}':\n${readFileSync(err, 'utf8')}`);
        },
      }),
    url: async () => {
      const { host, port } = await running.logged('Health and metrics are served');
      return `http://${host}:${port}`;
    },
    signal: (signal) => child.signal(signal),
    ended: async () => ({ ...(await child.ended()), stdout: running.stdout(), stderr: running.stderr() }),
  };
  return running;
}

function built(): string {
  if (!existsSync(commandFile)) throw new Error(`${commandFile} is missing: run npm run build`);
  return commandFile;
}

function linesOf(file: string): readonly Record<string, unknown>[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
}
