import { ByteLease } from './byteLease.ts';

/** Smaller pieces are not worth keeping: they come when there is little to do, and die young. */
const pieceBytesMin = 64 * 1024;
/** A full answer of a broker and a full block are a little above 4 MiB; larger ones, of a single large batch, are rare. */
const pieceBytesMax = 8 * 1024 * 1024;
/** Memory kept for what is to come: an answer or a block or two are on their way while others are worked off. */
const freeBytesMax = 16 * 1024 * 1024;

/**
 * Memory for record batches, used again when what lies in it has been worked off.
 *
 * Memory outside of the engine's heap makes it collect garbage, however little garbage there is in the heap: at full speed
 * a collection of everything for each 30 to 60 MiB of answers, which wait for it in memory. And fresh memory is paid for
 * page by page when it is first written to.
 */
export class RecycledMemory {
  /** The oldest first. */
  #free: ArrayBufferLike[] = [];
  #freeBytes = 0;
  /** Those that may come back. */
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** A buffer of that length, with anything in it. */
  take(length: number): Buffer {
    if (length < pieceBytesMin || length > pieceBytesMax) return Buffer.allocUnsafe(length);
    const size = sizeFor(length);
    const index = this.#free.findLastIndex(({ byteLength }) => byteLength === size);
    const memory = this.#free[index] ?? Buffer.allocUnsafeSlow(size).buffer;
    if (index >= 0) {
      this.#free.splice(index, 1);
      this.#freeBytes -= size;
    }
    this.#lent.add(memory);
    return Buffer.from(memory, 0, length);
  }

  /** The lease of what `part` is a view of; undefined for memory that is not used again. */
  leaseOf(part: Buffer): ByteLease | undefined {
    const memory = part.buffer;
    return this.#lent.has(memory) ? new ByteLease(() => this.#give(memory)) : undefined;
  }

  #give(memory: ArrayBufferLike): void {
    if (!this.#lent.delete(memory)) return;
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > freeBytesMax) this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
  }
}

/** A power of two and a sixteenth: few sizes, so that one fits again, and a full answer takes no more than it needs. */
function sizeFor(length: number): number {
  return 2 ** Math.ceil(Math.log2((length * 16) / 17)) * (17 / 16);
}
