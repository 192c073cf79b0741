/**
 * Starts processes that cannot outlive this one.
 *
 * The first guarded process starts a watchdog (watchdog.sh) in a session of its own, with a pipe to this process. When
 * the pipe closes, because this process ended in whatever way, the watchdog stops everything on its list and removes
 * the temporary directory. An orderly stop takes the same way: `stopGuarded` closes the pipe and waits.
 *
 * A guarded process enters the list itself, before it becomes the service (`sh -c 'enter the list && exec …'`).
 * Otherwise: we start a broker, are killed before we have noted its id, and the watchdog never hears of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type StopSignal = 'TERM' | 'INT' | 'QUIT' | 'KILL';

export interface GuardedOptions {
  /** For file names; made unique by a number. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What the watchdog sends first. A service with temporary data needs no better than KILL. */
  readonly stopSignal: StopSignal;
  readonly logFile: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as; only root may name one. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export interface GuardedProcess {
  readonly pid: number;
  readonly alive: () => boolean;
  readonly signal: (signal: StopSignal) => void;
  /** Resolves when the process has ended, with how; keeps this process alive while somebody waits. */
  readonly ended: () => Promise<ProcessEnd>;
}

/** The signal that ended a process, or its exit code; neither when it never ran. */
export interface ProcessEnd {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
}

interface Guard {
  readonly dir: string;
  readonly watchdog: ChildProcess;
}

let guard: Guard | undefined;
let counter = 0;

// Enters the list by a rename, so that the watchdog never reads half an entry, then becomes the service.
const enterListAndExec = 'echo $$ >"$1.new" && mv "$1.new" "$2" && shift 2 && exec "$@"';

/** A new directory that is removed with everything else at the end. Other users may pass through it, not list it. */
export function guardedDirectory(name: string): string {
  counter += 1;
  const dir = join(currentGuard().dir, `${name}-${counter}`);
  mkdirSync(dir);
  chmodSync(dir, 0o711);
  return dir;
}

export async function spawnGuarded(options: GuardedOptions): Promise<GuardedProcess> {
  const { dir } = currentGuard();
  counter += 1;
  const draft = join(dir, 'drafts', `${options.name}-${counter}`);
  const entry = join(dir, 'processes', `${options.name}-${counter}.${options.stopSignal}`);
  const log = openSync(options.logFile, 'a');
  const child = spawn('sh', ['-c', enterListAndExec, 'sh', draft, entry, options.command, ...options.args], {
    cwd: options.cwd ?? dir,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: ['ignore', log, log],
    ...options.user,
  });
  closeSync(log);
  // A handle must not keep a finished run from ending: the watchdog takes care of the rest.
  child.unref();
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once('exit', (code, signal) => {
      rmSync(entry, { force: true });
      resolve({ code, signal });
    });
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  await new Promise((resolve, reject) => child.once('spawn', () => resolve(undefined)).once('error', reject));
  const pid = child.pid ?? 0;
  return {
    pid,
    ended: async () => {
      child.ref();
      return ended;
    },
    alive: () => child.exitCode === null && child.signalCode === null,
    signal: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(`SIG${signal}`);
    },
  };
}

/** Stops everything that this process started and removes its directories. Later starts begin anew. */
export async function stopGuarded(): Promise<void> {
  if (guard === undefined) return;
  const { watchdog } = guard;
  guard = undefined;
  watchdog.ref();
  const exited = new Promise((resolve) => watchdog.once('exit', resolve));
  watchdog.stdin?.end();
  await exited;
}

/** The last lines of a log file, for an error message. */
export function tailOf(file: string, lines = 15): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

function currentGuard(): Guard {
  guard ??= startGuard();
  return guard;
}

function startGuard(): Guard {
  const dir = mkdtempSync(join(tmpdir(), 'tidemark-services-'));
  chmodSync(dir, 0o711);
  for (const [name, mode] of [
    ['processes', 0o733],
    ['drafts', 0o733],
  ] as const) {
    mkdirSync(join(dir, name));
    // A service that runs as another user enters the list as that user.
    chmodSync(join(dir, name), mode);
  }
  const script = fileURLToPath(new URL('./watchdog.sh', import.meta.url));
  const watchdog = spawn('sh', [script, dir], { cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  return { dir, watchdog };
}
