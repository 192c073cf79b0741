import { setMaxListeners } from 'node:events';
import { isTidemarkError, TidemarkError } from '../../errors.ts';
import { retryBaseMs, retryCapMs } from '../../kafka/reading/index.ts';
import { backoffMs, type Clock, unlessAborted } from '../../platform/index.ts';
import type { CallFacts, Faults } from './faults.ts';

/** Calls between a driver and the cluster, by the names of the port; `fetch`, `joinGroup`, `heartbeat` and `leaveGroup` are what streams and memberships do. */
export type KafkaCall =
  | 'connect'
  | 'describeTopics'
  | 'listTopics'
  | 'bounds'
  | 'offsetsForTimestamps'
  | 'endOffsetsForLeaderEpochs'
  | 'listGroups'
  | 'describeGroup'
  | 'committedOffsets'
  | 'commitOffsets'
  | 'deleteOffsets'
  | 'fetch'
  | 'joinGroup'
  | 'heartbeat'
  | 'confirm'
  | 'leaveGroup';

const requestTimeoutMs = 30_000;

/** The line between one driver and the cluster: it can be cut and healed, and faults lie in wait on it. */
export class Link {
  readonly client: string;
  readonly clock: Clock;
  readonly #faults: Faults<KafkaCall>;
  readonly #closing = new AbortController();
  /** Aborted while the line is cut, and for ever when the driver has closed. */
  #line = new AbortController();

  constructor(client: string, clock: Clock, faults: Faults<KafkaCall>) {
    this.client = client;
    this.clock = clock;
    this.#faults = faults;
    setMaxListeners(0, this.#closing.signal, this.#line.signal); // one for every call under way
  }

  /** Aborted when the driver closes, with the error to reject with. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get isCut(): boolean {
    return this.#line.signal.aborted && !this.#closing.signal.aborted;
  }

  cut(): void {
    this.#line.abort(connectionLost(`the calls of ${this.client}, which is cut off`));
  }

  heal(): void {
    if (!this.isCut) return;
    this.#line = new AbortController();
    setMaxListeners(0, this.#line.signal);
  }

  close(reason: TidemarkError): void {
    this.#closing.abort(reason);
    this.#line.abort(reason);
  }

  /** Makes one call: `work` is what the cluster does, at once when the call arrives there. */
  async call<T>(
    call: KafkaCall,
    facts: CallFacts,
    work: (signal: AbortSignal) => T | Promise<T>,
    more?: AbortSignal,
  ): Promise<T> {
    this.#closing.signal.throwIfAborted();
    const line = this.#line.signal;
    const signal = more === undefined ? line : AbortSignal.any([line, more]);
    const meet = async (at: 'request' | 'answer') => {
      signal.throwIfAborted();
      await this.#faults.meet(call, at, { ...facts, client: this.client }, signal);
      this.#closing.signal.throwIfAborted();
      signal.throwIfAborted();
    };
    await meet('request');
    const result = await unlessAborted(Promise.resolve(work(signal)), signal);
    await meet('answer');
    return result;
  }

  /** Calls again, with backoff by the clock, what a retry can mend, for `requestTimeoutMs` (30 s). */
  async retrying<T>(attempt: () => Promise<T>): Promise<T> {
    const startedMs = this.clock.monotonic();
    for (let number = 1; ; number += 1) {
      try {
        return await attempt();
      } catch (error) {
        this.closing.throwIfAborted();
        const waitMs = backoffMs(number, retryBaseMs, retryCapMs, () => 1);
        const isLate = this.clock.monotonic() - startedMs + waitMs > requestTimeoutMs;
        if (!isTidemarkError(error) || !error.retriable || isLate) throw error;
        await this.clock.sleep(waitMs, this.closing);
      }
    }
  }
}

/** The error of a call that the state of the driver rules out. */
export function closedError(what: string): TidemarkError {
  return new TidemarkError('KAFKA_CLOSED', `Kafka: ${what}`);
}

/** The failure of a connection that ended before the answer. */
export function connectionLost(call: string): TidemarkError {
  return new TidemarkError('KAFKA_CONNECTION_LOST', `The connection ended before the answer to ${call}`, {
    retriable: true,
  });
}
