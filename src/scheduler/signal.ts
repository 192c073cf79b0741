import type { Clock } from '../platform/index.ts';

/**
 * A flag that a loop waits for. Callbacks of brokers and timers only raise it; the loop looks at the state of things and
 * acts at its own pace. Raising it twice before the loop looks is one wake-up.
 */
export class Signal {
  readonly #clock: Clock;
  #raised = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** Resolves when raised since the last wait, or after `timeoutMs`. One waiter at a time. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const cancel =
          timeoutMs === undefined ? undefined : this.#clock.after(Math.max(0, timeoutMs), () => this.#wake?.());
        this.#wake = () => {
          cancel?.();
          this.#wake = undefined;
          resolve();
        };
      });
    }
    this.#raised = false;
  }
}
