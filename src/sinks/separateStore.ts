import { isTidemarkError, TidemarkError } from '../errors.ts';
import { noCounts, OffsetRange, type RecordCursor, type TopicPartition } from '../model/index.ts';
import type { OffsetStore, RangeCommit } from '../offsets/index.ts';
import { backoffMs, type Clock, unlessAborted } from '../platform/index.ts';
import type { Row, Sink, SinkTransaction } from './sink.ts';

const retryBaseMs = 100;
const retryCapMs = 5000;

/**
 * A sink with a ledger that is not in its transactions: the output is committed first, then the ranges.
 *
 * The order of events is what makes this at-least-once. Killed before the output's commit: nothing is there, the range is done
 * again. Killed between the two: the output is there and the store stands at the start of the range, so the range is done again
 * and its output is there twice. The other way round the range would be passed over, and its records lost.
 */
export function withSeparateStore(sink: Sink, store: OffsetStore, clock: Clock): Sink {
  return new SeparateStoreSink(sink, store, clock);
}

class SeparateStoreSink implements Sink {
  readonly kind: string;
  readonly guarantee: Sink['guarantee'];
  readonly store: OffsetStore;
  readonly concurrentTransactionsMax: number;
  readonly #output: Sink;
  readonly #clock: Clock;

  constructor(output: Sink, store: OffsetStore, clock: Clock) {
    this.kind = output.kind;
    this.guarantee = output.guarantee === 'at-most-once' ? 'at-most-once' : 'at-least-once';
    this.store = store;
    this.concurrentTransactionsMax = output.concurrentTransactionsMax;
    this.#output = output;
    this.#clock = clock;
  }

  open(context: { readonly hasTransform: boolean }): Promise<void> {
    return this.#output.open(context);
  }

  close(): Promise<void> {
    return this.#output.close();
  }

  async begin(partitions: readonly TopicPartition[]): Promise<SinkTransaction> {
    return new SeparateStoreTransaction(await this.#output.begin(partitions), this.store, this.#clock);
  }
}

class SeparateStoreTransaction implements SinkTransaction {
  readonly #output: SinkTransaction;
  readonly #store: OffsetStore;
  readonly #clock: Clock;
  readonly #aborted = new AbortController();

  constructor(output: SinkTransaction, store: OffsetStore, clock: Clock) {
    this.#output = output;
    this.#store = store;
    this.#clock = clock;
  }

  get needsDrain(): boolean {
    return this.#output.needsDrain;
  }

  appendRecord(cursor: RecordCursor): number {
    return this.#output.appendRecord(cursor);
  }

  appendRow(cursor: RecordCursor, row: Row): void {
    this.#output.appendRow(cursor, row);
  }

  mark(): void {
    this.#output.mark();
  }

  rewindToMark(): void {
    this.#output.rewindToMark();
  }

  drain(): Promise<void> {
    return this.#output.drain();
  }

  /**
   * The store is asked before the output as well: whoever was fenced meanwhile, by an operator's order or by a new owner, would
   * otherwise hear of it behind its output. The order of events: a skip is ordered and takes our claim, we write the record that is to
   * be skipped, and only then the store refuses us. What is fenced between the two is still written twice, or in spite of an order.
   */
  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    if (this.#store.capabilities.fenced) await this.#commitToStore(commits.map(nothingOf));
    await this.#output.commitRanges(commits);
    await this.#commitToStore(commits);
  }

  async abort(): Promise<void> {
    this.#aborted.abort(
      new TidemarkError('COMMIT_IN_DOUBT', 'The transaction was aborted between its output and its offsets'),
    );
    await this.#output.abort();
  }

  /** A store that is away is waited for: doing the range again would write its output once more with every attempt. */
  async #commitToStore(commits: readonly RangeCommit[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.#aborted.signal.throwIfAborted();
      try {
        await unlessAborted(this.#store.commitRanges(commits), this.#aborted.signal);
        return;
      } catch (error) {
        if (!isTidemarkError(error) || !error.retriable || error.code === 'GROUP_MEMBERSHIP_LOST') throw error;
        await this.#clock.sleep(backoffMs(attempt, retryBaseMs, retryCapMs), this.#aborted.signal);
      }
    }
  }
}

/** A commit that moves nothing: the store compares claim and position, and that is all. */
function nothingOf(commit: RangeCommit): RangeCommit {
  const { topic, partition, fromOffset } = commit.range;
  return { ...commit, range: new OffsetRange(topic, partition, fromOffset, fromOffset), counts: noCounts() };
}
