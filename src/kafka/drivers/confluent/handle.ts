import { type Clock, withDeadline } from '../../../platform/index.ts';
import { eventError, isRefusal, localCodes, timedOut } from './failures.ts';
import type { Library, NativeConsumer, NativeError, NativeMessage } from './nativeTypes.ts';
import type { Settings } from './settings.ts';

/** How long the end of a client is waited for; it goes on ending by itself afterwards. */
const closeMs = 5_000;
const connectingPollMs = 25;

/**
 * One client of the library: its connections, threads and event queue. It never waits for the library without a deadline of
 * its own, and never consumes in flowing mode: both can leave a promise open for ever.
 */
export class Handle {
  readonly consumer: NativeConsumer;
  readonly #clock: Clock;
  #connecting: Promise<void> | undefined;
  #polling: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #lastError: NativeError | undefined;
  #refusedWith: NativeError | undefined;

  /** `onQueued`: something waits for `poll`. Called at the first of several. */
  constructor(library: Library, settings: Settings, clock: Clock, onQueued: () => void = () => {}) {
    this.#clock = clock;
    this.consumer = new library.KafkaConsumer({ ...settings, queue_non_empty_cb: onQueued }, undefined);
    // A poll takes what is there. One that waits occupies one of the process's four worker threads meanwhile.
    this.consumer.setDefaultConsumeTimeout(0);
    this.consumer.on('event.error', (error) => this.#complained(eventError(error)));
    // A source of tokens that failed, or a token that cannot be used: unheard, it would end the process.
    this.consumer.on('error', ({ message }) => this.#complained({ code: localCodes.authentication, message }));
  }

  /** What the library complained about last, where it said something. */
  get lastError(): NativeError | undefined {
    return this.#lastError;
  }

  /**
   * Resolves when a broker has answered. Rejects with the library's error: the newest complaint, which says more than the
   * timeout it ends in, and at once when credentials or certificates were refused.
   */
  async connect(timeoutMs: number): Promise<void> {
    let settled = false;
    this.#connecting = new Promise<void>((resolve, reject) => {
      this.consumer.connect({ allTopics: false, timeout: timeoutMs }, (error) => {
        settled = true;
        if (error) reject(this.#refusedWith ?? this.#lastError ?? error);
        else resolve();
      });
    });
    this.#connecting.catch(() => {}); // close() waits for it, whoever else does
    const refused = this.#refusal(() => settled);
    await withDeadline(Promise.race([this.#connecting, refused]), timeoutMs * 2, this.#clock, () =>
      timedOut('connect', timeoutMs * 2),
    );
  }

  /** The first refusal is kept: that no broker is left, which follows from it, can be heard in the same poll. */
  #complained(error: NativeError): void {
    this.#lastError = error;
    if (isRefusal(error)) this.#refusedWith ??= error;
  }

  /** Complaints are heard only while the queue is polled. Never resolves unless there is a refusal. */
  async #refusal(isSettled: () => boolean): Promise<never> {
    while (!isSettled() && this.#closing === undefined) {
      await this.poll(1).catch(() => []);
      if (this.#refusedWith !== undefined) throw this.#refusedWith;
      await this.#clock.sleep(connectingPollMs);
    }
    return new Promise(() => {});
  }

  /** Serves what waits: callbacks, events, up to `count` messages. Rejects with the library's error. */
  poll(count: number): Promise<readonly NativeMessage[]> {
    const polled = new Promise<readonly NativeMessage[]>((resolve, reject) => {
      this.consumer.consume(count, (error, messages) => {
        if (error) reject(error);
        else resolve(messages);
      });
    });
    this.#polling = polled.catch(() => {});
    return polled;
  }

  /**
   * Ends the client, in whatever state; again gives the same promise. `until` are calls of others on it, which must not find
   * it gone. Never rejects; what takes longer than 5 s goes on behind.
   */
  close(until: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.#closing ??= this.#close(until);
    return this.#closing;
  }

  async #close(until: Promise<unknown>): Promise<void> {
    const ended = (async () => {
      const connected = await (this.#connecting ?? Promise.reject(new Error('never connected'))).then(
        () => true,
        () => false,
      );
      await Promise.all([until.catch(() => {}), this.#polling]);
      // A client whose connect failed has ended itself; its disconnect would not call back a second time.
      if (connected) await new Promise<void>((resolve) => this.consumer.disconnect(() => resolve()));
    })();
    await withDeadline(ended, closeMs, this.#clock, () => timedOut('disconnect', closeMs)).catch(() => {});
  }
}
