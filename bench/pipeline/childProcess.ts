import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a child that moves records reports at its end. */
export interface ChildReport {
  readonly records: number;
  /** From the first record read to the last commit (last record, where it only reads). */
  readonly seconds: number;
  /** Of the whole process in that time. */
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** From the start of the process to the first record. */
  readonly startUpMs: number;
}

/** What tidemark reports of a commit when asked to, by the clock that processes share. */
export type CommitSeen = readonly [partition: number, fromOffset: number, untilOffset: number, committedMs: number];

/**
 * A contestant in a process of its own: plain JavaScript on the built code, so that CPU and memory are its own and no
 * compiler's. It is told what to do by one argument and answers by messages.
 */
export class BenchChild {
  readonly #script: string;
  readonly #process: ChildProcess;
  readonly #messages = new Map<string, unknown>();
  readonly #ended: Promise<void>;
  #changed = () => {};
  #endCode: number | string | undefined;

  /** `script`: a file of `children/`. */
  constructor(script: string, task: unknown) {
    this.#script = script;
    const file = fileURLToPath(new URL(`./children/${script}`, import.meta.url));
    this.#process = spawn(process.execPath, [file, JSON.stringify(task)], {
      // Standard output of the bench is for its JSON.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#process.on('message', (message: { readonly kind: string }) => {
      this.#messages.set(message.kind, message);
      this.#changed();
    });
    this.#ended = this.#watchEnd();
  }

  /** The message of that kind; rejects when the child ends without it. */
  async message<T>(kind: string): Promise<T> {
    while (!this.#messages.has(kind)) {
      if (this.#endCode !== undefined) throw new Error(`${this.#script} ended with ${this.#endCode} before "${kind}"`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.#messages.get(kind) as T;
  }

  tell(message: unknown): void {
    this.#process.send(message as never);
  }

  /** Resolves when the process is gone; rejects when it failed. */
  async end(): Promise<void> {
    await this.#ended;
    if (this.#endCode !== 0) throw new Error(`${this.#script} ended with ${this.#endCode}`);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** The exit can be known before the last message is read; the end of the channel cannot. */
  async #watchEnd(): Promise<void> {
    const exited = new Promise<number | string>((resolve) => {
      this.#process.once('exit', (code, signal) => resolve(code ?? signal ?? -1));
    });
    const disconnected = new Promise((resolve) => this.#process.once('disconnect', resolve));
    await disconnected;
    this.#endCode = await exited;
    this.#changed();
  }
}

/** Runs a child to its end and answers its report. */
export async function reportOf(script: string, task: unknown): Promise<ChildReport> {
  const child = new BenchChild(script, task);
  const report = await child.message<ChildReport>('report');
  await child.end();
  return report;
}
