/**
 * Where a service runs: this machine, or a container (docker.ts). Services are written against this interface, so that
 * a cluster of three, a restart or a SIGKILL are the same code in both.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { guardedDirectory, type StopSignal, spawnGuarded, tailOf } from './guard.ts';

export interface MachineProcess {
  alive(): Promise<boolean>;
  signal(signal: StopSignal): Promise<void>;
  ended(): Promise<void>;
  /** The last lines it wrote. */
  logTail(): Promise<string>;
}

export interface StartOptions {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** How the watchdog stops it. */
  readonly stopSignal: StopSignal;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Machine {
  readonly kind: 'local' | 'docker';
  /** Where clients reach its ports, and to which address its services bind. */
  readonly address: string;
  readonly bindAddress: string;
  /** A directory of its own, writable for its processes. */
  readonly dir: string;
  /** Writes a file into `dir` and returns its path there. */
  writeFile(name: string, content: string): Promise<string>;
  readFile(path: string): Promise<string>;
  /** Runs a command to its end and returns what it wrote; rejects with that text when it fails. */
  run(command: readonly [string, ...string[]]): Promise<string>;
  start(options: StartOptions): Promise<MachineProcess>;
  /** Ends its processes with their stop signals and removes everything on it. */
  remove(): Promise<void>;
}

export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

/** This machine, with a guarded directory. `user`: as whom commands run, where root itself must not. */
export function localMachine(name: string, user?: UnixUser): Machine {
  const dir = guardedDirectory(name);
  if (user !== undefined) chownSync(dir, user.uid, user.gid);
  const processes: { process: MachineProcess; stopSignal: StopSignal }[] = [];
  return {
    kind: 'local',
    address: '127.0.0.1',
    bindAddress: '127.0.0.1',
    dir,
    writeFile: async (fileName, content) => {
      const path = join(dir, fileName);
      writeFileSync(path, content);
      chmodSync(path, 0o600);
      if (user !== undefined) chownSync(path, user.uid, user.gid);
      return path;
    },
    readFile: (path) => readFile(path, 'utf8'),
    run: (command) => runToEnd(command, { cwd: dir, ...user }),
    start: async (options) => {
      const logFile = join(dir, `${options.name}.log`);
      const [command, ...args] = options.command;
      const { name: processName, stopSignal } = options;
      const env = options.env ?? {};
      const child = await spawnGuarded({
        name: processName,
        command,
        args,
        stopSignal,
        logFile,
        cwd: dir,
        env,
        ...(user === undefined ? {} : { user }),
      });
      const process: MachineProcess = {
        alive: async () => child.alive(),
        signal: async (signal) => child.signal(signal),
        ended: async () => {
          await child.ended();
        },
        logTail: async () => tailOf(logFile),
      };
      processes.push({ process, stopSignal });
      return process;
    },
    remove: async () => {
      await Promise.all(processes.map(({ process, stopSignal }) => endProcess(process, stopSignal)));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface RunOptions {
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export async function runToEnd(command: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const [file, ...args] = command;
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, { ...options, maxBuffer: 256 * 1024 * 1024 });
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const output = `${stdout}${stderr}`.trim() || (error as Error).message;
    throw new Error(`${file} failed:\n${output}`, { cause: error });
  }
}

/** Sends the signal and waits for the end; after `limitMs` SIGKILL. */
export async function endProcess(process: MachineProcess, signal: StopSignal, limitMs = 15_000): Promise<void> {
  await process.signal(signal);
  const timer = setTimeout(() => void process.signal('KILL'), limitMs);
  try {
    await process.ended();
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a service on a machine; when that fails, nothing of the machine is left. */
export async function orRemove<T>(machine: Machine, start: (machine: Machine) => Promise<T>): Promise<T> {
  try {
    return await start(machine);
  } catch (error) {
    await machine.remove();
    throw error;
  }
}

/** For `waitUntil`: gives up with the end of the log when the process is no more. */
export function whileAlive(name: string, process: MachineProcess): () => Promise<void> {
  return async () => {
    if (!(await process.alive())) throw new Error(`${name} ended while starting:\n${await process.logTail()}`);
  };
}
