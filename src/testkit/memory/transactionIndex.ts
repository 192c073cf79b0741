import { isAbortMarker, type LogBatch } from './logBatch.ts';

interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
  /** Of the marker. */
  readonly lastOffset: bigint;
}

/** What a broker knows of the transactions in one log: which are open, and where those lie that aborted. */
export class TransactionIndex {
  readonly #open = new Map<bigint, bigint>();
  #aborted: AbortedTransaction[] = [];

  /** Takes in the next batch of the log. */
  add(batch: LogBatch): void {
    if (!batch.isTransactional) return;
    const { producerId, baseOffset, lastOffset } = batch;
    const firstOffset = this.#open.get(producerId);
    if (!batch.isControl) {
      if (firstOffset === undefined) this.#open.set(producerId, baseOffset);
      return;
    }
    this.#open.delete(producerId);
    if (firstOffset !== undefined && isAbortMarker(batch)) this.#aborted.push({ producerId, firstOffset, lastOffset });
  }

  /** Where the earliest open transaction begins: the last stable offset. */
  get firstOpenOffset(): bigint | undefined {
    let first: bigint | undefined;
    for (const offset of this.#open.values()) if (first === undefined || offset < first) first = offset;
    return first;
  }

  abortedWithin(fromOffset: bigint, untilOffset: bigint): { producerId: bigint; firstOffset: bigint }[] {
    return this.#aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= fromOffset && firstOffset < untilOffset)
      .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
  }

  forgetBefore(offset: bigint): void {
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }
}
