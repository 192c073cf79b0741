import type { BlockBook, HeldBlock } from './blockBook.ts';

/**
 * What the log has to keep. An entry is needed
 * - while it is a block that is not finished, or was finished less than `retainMs` ago: a database may go back in time;
 * - while it is a block of a batch that is not cleaned up: a batch stays whole;
 * - when it is the newest snapshot: were all blocks gone with it, nobody could tell a ledger that is ahead of the log.
 *
 * So the low watermark never passes the newest snapshot, nor what that does not cover.
 */
export class Retention {
  readonly #book: BlockBook;
  #isChanged = true;
  /** Since when the block that is kept the longest for `retainMs` alone is finished. */
  #oldestFinishedAtMs = Number.POSITIVE_INFINITY;

  constructor(book: BlockBook) {
    this.#book = book;
  }

  /** Something may be needed no more. */
  noteChange(): void {
    this.#isChanged = true;
  }

  /** Whether a look would find nothing that the last one did not. */
  isIdle(nowMs: number, retainMs: number): boolean {
    return !this.#isChanged && nowMs - this.#oldestFinishedAtMs < retainMs;
  }

  /** Batches all of whose blocks are finished. */
  finishedBatches(): readonly number[] {
    const done: number[] = [];
    for (const { batchTimeMs, blocks } of this.#book.batches.values()) {
      if ([...blocks.values()].every((list) => list.every(isFinished))) done.push(batchTimeMs);
    }
    return done;
  }

  /** Forgets the blocks that are needed no more. */
  expire(nowMs: number, retainMs: number): void {
    this.#isChanged = false;
    this.#oldestFinishedAtMs = Number.POSITIVE_INFINITY;
    for (const { blocks } of this.#book.streams.values()) {
      for (const held of blocks.values()) {
        const { finishedAtMs, inBatch } = held;
        if (finishedAtMs === undefined || inBatch) continue;
        if (nowMs - finishedAtMs >= retainMs) this.#book.drop(held);
        else this.#oldestFinishedAtMs = Math.min(this.#oldestFinishedAtMs, finishedAtMs);
      }
    }
  }

  /** Whether more could go with a new snapshot, when all entries below `appliedUntil` are in the book. */
  needsSnapshot(appliedUntil: bigint): boolean {
    const { index, coveredUntil } = this.#book.snapshot;
    // A snapshot that covers all before itself is no reason for another one.
    const reach = index === coveredUntil ? index + 1n : coveredUntil;
    return (this.#firstNeeded() ?? appliedUntil) > reach;
  }

  /** Nothing below it is needed. */
  lowWatermark(): bigint {
    const first = this.#firstNeeded();
    const { coveredUntil } = this.#book.snapshot;
    return first !== undefined && first < coveredUntil ? first : coveredUntil;
  }

  #firstNeeded(): bigint | undefined {
    // The allocation of a batch lies behind its blocks, and one without blocks can go.
    let first: bigint | undefined;
    for (const { blocks } of this.#book.streams.values()) {
      const index = blocks.keys().next().value;
      if (index !== undefined && (first === undefined || index < first)) first = index;
    }
    return first;
  }
}

function isFinished({ finishedAtMs }: HeldBlock): boolean {
  return finishedAtMs !== undefined;
}
