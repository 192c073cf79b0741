import type { TidemarkError } from '../../errors.ts';

/** What `join` waits for. Settled once; before it is waited for, and afterwards, settling it does nothing. */
export class FirstAssignment {
  #waiting: { resolve(): void; reject(error: TidemarkError): void } | undefined;

  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  settle(error?: TidemarkError): void {
    if (error === undefined) this.#waiting?.resolve();
    else this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
