import type { TopicPartition } from '../../model/index.ts';
import type { Clock } from '../../platform/index.ts';
import type { MembershipListener } from '../membership.ts';

/**
 * The calls to a listener, one after another, while the membership itself goes on: heartbeats do not wait for a
 * `revoked` that takes its time.
 */
export class ListenerCalls {
  readonly #listener: MembershipListener;
  readonly #revokeTimeoutMs: number;
  readonly #clock: Clock;
  #last: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(listener: MembershipListener, revokeTimeoutMs: number, clock: Clock) {
    this.#listener = listener;
    this.#revokeTimeoutMs = revokeTimeoutMs;
    this.#clock = clock;
  }

  add(call: (listener: MembershipListener) => void | Promise<void>): void {
    this.#last = this.#last.then(() => (this.#ended ? undefined : call(this.#listener)));
  }

  /** `revoked`, awaited for `revokeTimeoutMs` at most. */
  addRevoked(partitions: readonly TopicPartition[]): void {
    this.add(async (listener) => {
      let cancel = () => {};
      const timeout = new Promise<void>((resolve) => {
        cancel = this.#clock.after(this.#revokeTimeoutMs, resolve);
      });
      await Promise.race([listener.revoked(partitions), timeout]);
      cancel();
    });
  }

  /** Resolves when every call made so far is over. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Nothing is called any more. */
  end(): void {
    this.#ended = true;
  }
}
