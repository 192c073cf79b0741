/** Whatever is acquired pushes its release; they run once, in reverse, and every error is kept. */
export class Releases {
  readonly #stack: (() => Promise<void> | void)[] = [];

  push(release: () => Promise<void> | void): void {
    this.#stack.push(release);
  }

  /** Answers the errors of the releases that failed; the others ran all the same. */
  async runAll(): Promise<readonly unknown[]> {
    const errors: unknown[] = [];
    for (let release = this.#stack.pop(); release !== undefined; release = this.#stack.pop()) {
      try {
        await release();
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
