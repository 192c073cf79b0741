import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '../crash/workerProcess.ts';
import type { KafkaRoute } from '../services/index.ts';

/** A graceful stop drains, releases and leaves; more than this is a stop that hangs. */
const stopLimitMs = 30_000;

/**
 * One place in a group of processes, with a way of its own to the brokers. Processes come and go in it; what is done to it is done
 * one after the other.
 */
export class Member {
  readonly number: number;
  readonly route: KafkaRoute;
  /** Every process that ran in this place. */
  readonly workers: Worker[] = [];
  /** Ends that are not to happen. */
  readonly failures: string[] = [];
  /** Processes that could not even start while brokers were out of reach. */
  failedStarts = 0;
  readonly #start: (member: Member) => Promise<Worker>;
  #isWanted = false;
  #present: Worker | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(number: number, route: KafkaRoute, start: (member: Member) => Promise<Worker>) {
    this.number = number;
    this.route = route;
    this.#start = start;
  }

  /** Runs `work` after everything that was begun before it. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async start(): Promise<void> {
    this.#isWanted = true;
    if (this.#present !== undefined) return;
    const worker = await this.#start(this);
    this.#present = worker;
    this.workers.push(worker);
    void worker.ended().then(async ({ code, signal }) => {
      if (this.#present !== worker) return;
      if (couldNotStart(worker)) this.failedStarts += 1;
      else this.failures.push(`member ${this.number} ended by itself with ${code ?? signal}:\n${worker.logTail()}`);
      this.#present = undefined;
      // As whoever watches over processes would do it.
      await this.inTurn(async () => this.#isWanted && this.start());
    });
  }

  async stop(): Promise<void> {
    this.#isWanted = false;
    const worker = this.#leave();
    if (worker === undefined) return;
    worker.signal('SIGTERM');
    const patience = new AbortController();
    const late = delay(stopLimitMs, 'late' as const, { signal: patience.signal });
    const end = await Promise.race([worker.ended(), late]);
    patience.abort();
    late.catch(() => {});
    if (end === 'late') {
      this.failures.push(`member ${this.number} did not stop within ${stopLimitMs} ms:\n${worker.logTail()}`);
      worker.signal('SIGKILL');
      await worker.ended();
    } else if (end.code !== 0 && worker.events('started').length > 0) {
      // Whoever was stopped while it started says that it did not start.
      this.failures.push(`member ${this.number} stopped with ${end.code ?? end.signal}:\n${worker.logTail()}`);
    }
  }

  async kill(downMs: number): Promise<void> {
    const worker = this.#leave();
    if (worker === undefined) return;
    worker.signal('SIGKILL');
    await worker.ended();
    await delay(downMs);
    await this.start();
  }

  async freeze(forMs: number): Promise<void> {
    this.#present?.signal('SIGSTOP');
    await delay(forMs);
    this.#present?.signal('SIGCONT');
  }

  cut(): void {
    for (const proxy of this.route.proxies) proxy.cut();
  }

  /** Cut off from the brokers: nothing arrives any more, or every connection breaks at its first word. */
  async isolate(forMs: number, how: 'silent' | 'broken'): Promise<void> {
    for (const proxy of this.route.proxies) {
      if (how === 'silent') proxy.pause();
      else {
        proxy.onClientData(() => 'cut');
        proxy.cut();
      }
    }
    await delay(forMs);
    for (const proxy of this.route.proxies) proxy.resume();
  }

  /** For the end of a run that failed. */
  abandon(): void {
    this.#leave()?.signal('SIGKILL');
  }

  #leave(): Worker | undefined {
    const worker = this.#present;
    this.#present = undefined;
    return worker;
  }
}

function couldNotStart(worker: Worker): boolean {
  const error = worker.events('failed').at(-1)?.error as { retriable?: boolean } | undefined;
  return worker.events('started').length === 0 && error?.retriable === true;
}
