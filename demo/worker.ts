import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GuardedProcess, guardedDirectory, spawnGuarded, tailOf } from '../test/services/guard.ts';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const file = fileURLToPath(new URL('./orders.yaml', import.meta.url));

/** `tidemark run demo/orders.yaml` in a process of its own, which ends with the demo however that ends. */
export class Worker {
  readonly #process: GuardedProcess;
  readonly #logFile: string;
  #isStopping = false;

  private constructor(process: GuardedProcess, logFile: string) {
    this.#process = process;
    this.#logFile = logFile;
  }

  static async start(environment: Readonly<Record<string, string>>): Promise<Worker> {
    const logFile = join(guardedDirectory('demo-worker'), 'worker.log');
    const args = [main, 'run', '--log-level', 'warn', file];
    const command = process.execPath;
    const env = environment;
    const started = await spawnGuarded({ name: 'demo-worker', command, args, stopSignal: 'KILL', logFile, env });
    return new Worker(started, logFile);
  }

  /** Rejects with what the worker said when it ends without being asked to. */
  async watch(): Promise<never> {
    await this.#process.ended();
    if (this.#isStopping) return new Promise(() => {});
    throw new Error(`The worker ended by itself:\n${tailOf(this.#logFile)}`);
  }

  /** SIGKILL: no handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    await this.#end('KILL');
  }

  async stop(): Promise<void> {
    await this.#end('TERM');
  }

  async #end(signal: 'KILL' | 'TERM'): Promise<void> {
    this.#isStopping = true;
    this.#process.signal(signal);
    await this.#process.ended();
  }
}
