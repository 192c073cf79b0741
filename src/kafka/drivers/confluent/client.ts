import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../../../errors.ts';
import { type Clock, unlessAborted, withDeadline } from '../../../platform/index.ts';
import { addressText, type ResolvedClientOptions } from '../../clientOptions.ts';
import { retryRequest } from '../../reading/index.ts';
import { isRefusal, libraryFailure, type Subject, timedOut } from './failures.ts';
import { Handle } from './handle.ts';
import { adminOf } from './library.ts';
import type { Library, NativeAdmin, NativeError } from './nativeTypes.ts';
import { readerSettings } from './settings.ts';

/** Longest time of one try of a request: a broker that hangs must not hold up the queue for longer. */
const tryMs = 5_000;

/** What a request takes to be made: the admin client, its longest time in ms, and where to put the answer. */
export type Call<T> = (
  admin: NativeAdmin,
  timeout: number,
  done: (error: NativeError | null | undefined, result: T) => void,
) => void;

/**
 * Requests to the cluster, over a client that reads nothing: a broker answers the requests of one connection in their order,
 * so behind a long poll each would wait for it.
 */
export class ConfluentClient {
  readonly library: Library;
  readonly options: ResolvedClientOptions;
  readonly clock: Clock;
  readonly #closing = new AbortController();
  #handle: Handle | undefined;
  #admin: NativeAdmin | undefined;
  /** The request under way and those behind it. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(library: Library, options: ResolvedClientOptions, clock: Clock) {
    this.library = library;
    this.options = options;
    this.clock = clock;
    setMaxListeners(0, this.#closing.signal); // one for every request under way
  }

  /** Aborted when the driver closes, with the error to reject with. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  async connect(): Promise<void> {
    const { connectTimeoutMs } = this.options;
    this.#handle = new Handle(this.library, readerSettings(this.options), this.clock);
    try {
      await unlessAborted(this.#handle.connect(connectTimeoutMs), this.closing);
    } catch (error) {
      this.closing.throwIfAborted();
      throw this.#unreachable(error);
    }
    this.#admin = adminOf(this.library, this.#handle.consumer);
  }

  async close(reason: TidemarkError): Promise<void> {
    this.#closing.abort(reason);
    // An admin request uses the connections of the handle, which must not be taken from under it.
    await this.#handle?.close(this.#queue);
  }

  /** Makes one request, without a retry. */
  ask<T>(subject: Subject, call: Call<T>): Promise<T> {
    // The library makes admin requests one at a time anyway, each waiting in a worker thread of the process for those
    // before it: four of them would leave no thread for files and names. So they wait here.
    const asked = this.#queue.then(() => {
      this.closing.throwIfAborted();
      return this.#call(subject, call);
    });
    this.#queue = asked.catch(() => {});
    return unlessAborted(asked, this.closing);
  }

  async #call<T>(subject: Subject, call: Call<T>): Promise<T> {
    const timeout = Math.min(tryMs, this.options.requestTimeoutMs);
    const answered = new Promise<T>((resolve, reject) => {
      call(this.#admin as NativeAdmin, timeout, (error, result) => {
        if (error) reject(libraryFailure(error, subject));
        else resolve(result);
      });
    });
    return withDeadline(answered, timeout * 2, this.clock, () => timedOut(subject.action, timeout * 2));
  }

  /** Runs `attempt` until it succeeds, fails for good, or `requestTimeoutMs` is over; then its last error counts. */
  retrying<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, closing, options } = this;
    return retryRequest(attempt, { clock, closing, requestTimeoutMs: options.requestTimeoutMs });
  }

  #unreachable(error: unknown): TidemarkError {
    const list = this.options.brokers.map(addressText).join(', ');
    if (isRefusal(error)) return libraryFailure(error, { action: `be accepted by a broker of the list (${list})` });
    const failure = libraryFailure(error, { action: 'connect' });
    if (failure.code === 'KAFKA_UNSUPPORTED_BROKER') return failure;
    return new TidemarkError('KAFKA_UNREACHABLE', `No broker of the list answers (${list}). ${failure.message}`, {
      retriable: true,
      hint: 'Check the addresses, that the brokers run and can be reached from here, kafka.ssl if the listener speaks TLS, and kafka.sasl if it wants to know who we are.',
      ...(failure.foreignCode === undefined ? {} : { foreignCode: failure.foreignCode }),
      cause: error,
    });
  }
}
