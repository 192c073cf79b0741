import { TidemarkError } from '../../errors.ts';
import type { EpochEndOffset } from '../../kafka/index.ts';
import type { PartitionBounds, TopicPartition } from '../../model/index.ts';
import { type LogBatch, recordsOf, storedBatch } from './logBatch.ts';
import { TransactionIndex } from './transactionIndex.ts';

/**
 * The log of one partition as a broker keeps it: record batches in format v2, what is open or aborted in them, and where
 * leader epochs begin. Synchronous: whatever happens to it happens at once.
 */
export class PartitionLog implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  #batches: LogBatch[] = [];
  #logStartOffset = 0n;
  #endOffset = 0n;
  #transactions = new TransactionIndex();
  #epochs: { readonly leaderEpoch: number; readonly startOffset: bigint }[] = [{ leaderEpoch: 0, startOffset: 0n }];
  #waiting = new Set<() => void>();

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get leaderEpoch(): number {
    return this.#epochs.at(-1)?.leaderEpoch ?? 0;
  }

  get endOffset(): bigint {
    return this.#endOffset;
  }

  get batches(): readonly LogBatch[] {
    return this.#batches;
  }

  get bounds(): PartitionBounds {
    const logStartOffset = this.#logStartOffset;
    const open = this.#transactions.firstOpenOffset ?? this.#endOffset;
    const lastStableOffset = open < logStartOffset ? logStartOffset : open;
    return { logStartOffset, highWatermark: this.#endOffset, lastStableOffset };
  }

  /** Appends a batch, giving it its offsets and the leader epoch. Returns the offset of its first record. */
  append(bytes: Buffer): bigint {
    const baseOffset = this.#endOffset;
    const batch = storedBatch(this, bytes, baseOffset, this.leaderEpoch);
    this.#transactions.add(batch);
    this.#batches.push(batch);
    this.#endOffset = batch.lastOffset + 1n;
    this.changed();
    return baseOffset;
  }

  /** Batches from the one that holds `fromOffset` on, those that may be read, up to `bytesMax` but at least one. */
  read(fromOffset: bigint, bytesMax: number): Buffer {
    const { lastStableOffset } = this.bounds;
    const parts: Buffer[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (batch.lastOffset < fromOffset) continue;
      if (batch.baseOffset >= lastStableOffset || (bytes > 0 && bytes + batch.bytes.length > bytesMax)) break;
      parts.push(batch.bytes);
      bytes += batch.bytes.length;
    }
    return Buffer.concat(parts);
  }

  /** Transactions that aborted with a part of them in `[fromOffset, untilOffset)`. */
  abortedWithin(fromOffset: bigint, untilOffset: bigint): { producerId: bigint; firstOffset: bigint }[] {
    return this.#transactions.abortedWithin(fromOffset, untilOffset);
  }

  /** First offset of a readable record whose timestamp is at or after; undefined where there is none. */
  offsetAt(timestampMs: number): bigint | undefined {
    const { lastStableOffset } = this.bounds;
    for (const batch of this.#batches) {
      if (batch.isControl || batch.maxTimestamp < timestampMs) continue;
      for (const record of recordsOf(this, batch)) {
        if (record.offset < this.#logStartOffset || record.timestamp < timestampMs) continue;
        return record.offset < lastStableOffset ? record.offset : undefined;
      }
    }
    return undefined;
  }

  /** Where an epoch ends (KIP-101): at the start of the next one that is known, for the newest at the end of the log. */
  endOfEpoch(leaderEpoch: number): EpochEndOffset | undefined {
    if (leaderEpoch === this.leaderEpoch) return { leaderEpoch, endOffset: this.#endOffset };
    const next = this.#epochs.find((epoch) => epoch.leaderEpoch > leaderEpoch);
    if (next === undefined) return undefined;
    const floor = this.#epochs.findLast((epoch) => epoch.leaderEpoch <= leaderEpoch);
    return { leaderEpoch: floor?.leaderEpoch ?? leaderEpoch, endOffset: next.startOffset };
  }

  /** A new leader with the same log. */
  beginEpoch(): void {
    const leaderEpoch = this.leaderEpoch + 1;
    // An epoch in which nothing was written is not in the log.
    this.#epochs = this.#epochs.filter(({ startOffset }) => startOffset < this.#endOffset);
    this.#epochs.push({ leaderEpoch, startOffset: this.#endOffset });
    this.changed();
  }

  /** Moves the log start up to `before` and forgets what lies below. */
  deleteBefore(before: bigint): void {
    if (before > this.#endOffset) throw this.#outside(before);
    if (before <= this.#logStartOffset) return;
    this.#logStartOffset = before;
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset >= before);
    this.#transactions.forgetBefore(before);
    this.changed();
  }

  /** A new leader without the batches that reach `offset` or lie beyond it: an unclean election. */
  truncate(offset: bigint): void {
    if (offset < this.#logStartOffset || offset > this.#endOffset) throw this.#outside(offset);
    const leaderEpoch = this.leaderEpoch + 1;
    this.#batches = this.#batches.filter(({ lastOffset }) => lastOffset < offset);
    const last = this.#batches.at(-1)?.lastOffset;
    this.#endOffset = last === undefined ? this.#logStartOffset : last + 1n;
    this.#epochs = this.#epochs.filter(({ startOffset }) => startOffset < this.#endOffset);
    this.#epochs.push({ leaderEpoch, startOffset: this.#endOffset });
    this.#transactions = new TransactionIndex();
    for (const batch of this.#batches) this.#transactions.add(batch);
    this.changed();
  }

  /** Puts others in the place of all batches, which cover the same offsets: what the log cleaner does. */
  replace(batches: readonly LogBatch[]): void {
    this.#batches = [...batches];
    this.changed();
  }

  /** Calls back once at the next change; the returned function cancels. */
  onChange(callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  /** Wakes those that wait for news of the partition. */
  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  #outside(offset: bigint): TidemarkError {
    const { topic, partition } = this;
    const text = `Offset ${offset} is outside of the log of ${topic}-${partition}, [${this.#logStartOffset}, ${this.#endOffset}]`;
    return new TidemarkError('KAFKA_OFFSET_OUT_OF_RANGE', text, { topic, partition, offset });
  }
}
