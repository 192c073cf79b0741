/**
 * Memory that chunks are views of, and that is used again once nobody looks at it any more.
 *
 * Everyone who holds it says when he is done; whoever never says so only keeps the memory from being used again: the
 * garbage collector frees it. What left for user code (a record, headers, a raw batch) cannot be followed: that pins the
 * memory, and what is pinned is never used again.
 */
export class ByteLease {
  readonly #giveBack: () => void;
  #holders = 1;
  #isPinned = false;

  /** Held once, by whoever makes it. */
  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  hold(): void {
    this.#holders += 1;
  }

  /** Once for each hold. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0 && !this.#isPinned) this.#giveBack();
  }

  pin(): void {
    this.#isPinned = true;
  }
}
