import { isTidemarkError, type TidemarkError } from '../errors.ts';
import type { KafkaRecord, RangeCounts, RecordChunk, RecordCursor, RecordPolicy } from '../model/index.ts';
import type { Row, SinkTransaction } from '../sinks/index.ts';
import type { BatchTransform, RecordTransform, TransformResult, TransformStage } from './transformStage.ts';

export type Transform = { readonly record: RecordTransform } | { readonly batch: BatchTransform } | undefined;

/** One walk of a range's records into a transaction. */
export interface Pumping {
  readonly transaction: SinkTransaction;
  readonly counts: RangeCounts;
  readonly batchTimeMs: number;
  readonly signal: AbortSignal;
  readonly policy: RecordPolicy;
  /** Records the sink refused in an earlier attempt, which policy passes over. */
  readonly refused: ReadonlyMap<bigint, TidemarkError>;
  /** Filled with the records passed over in this walk. */
  readonly skipped: BadRecord[];
  /** Told of the timestamp of the first record, -1 where it has none. */
  readonly onFirst: (timestampMs: number) => void;
}

/** The record that ended the walk under the policy `stop`; everything before it is in the transaction. */
export interface BadRecord {
  readonly offset: bigint;
  readonly error: TidemarkError;
}

/**
 * Carries records from chunks into a transaction, counting what becomes of each (I6). Rows go in offset order (I4).
 * Errors about one record follow the policy; everything else is thrown. One pump serves one walk.
 */
export class RecordPump {
  readonly #stage: TransformStage;
  readonly #transform: Transform;
  readonly #into: Pumping;
  /** What waits for a batch transform. */
  #waiting: RecordChunk[] = [];
  #hasBegun = false;

  constructor(stage: TransformStage, transform: Transform, into: Pumping) {
    this.#stage = stage;
    this.#transform = transform;
    // Field by field: objects made by spreading others differ in their hidden class from range to range, and what looks into them
    // for each record is then compiled again and again.
    const { transaction, counts, batchTimeMs, signal, policy, refused, skipped, onFirst } = into;
    this.#into = { transaction, counts, batchTimeMs, signal, policy, refused, skipped, onFirst };
  }

  async chunk(chunk: RecordChunk): Promise<BadRecord | undefined> {
    const transform = this.#transform;
    if (transform === undefined) return this.#plain(chunk);
    if ('record' in transform) return this.#byRecord(chunk.cursor(), transform.record);
    this.#waiting.push(chunk);
    return undefined;
  }

  /** After the last chunk of a range: a batch transform runs now. */
  async end(): Promise<BadRecord | undefined> {
    const transform = this.#transform;
    if (transform === undefined || 'record' in transform) return undefined;
    const chunks = this.#waiting;
    this.#waiting = [];
    const records = recordsOf(chunks, this.#into.refused);
    const [head] = records;
    if (head !== undefined) this.#into.onFirst(head.timestamp);
    let results: readonly TransformResult[];
    try {
      results = await this.#stage.batch(transform.batch, records, this.#into.batchTimeMs, this.#into.signal);
    } catch (error) {
      const first = records[0];
      // It answers for all of its records: none can be told apart as the bad one, so none is passed over.
      if (first !== undefined && isAboutRecord(error)) return { offset: first.offset, error };
      throw error;
    }
    return this.#appendResults(chunks, results);
  }

  /** No transform: the sink maps the record itself. No object is made for it. */
  async #plain(chunk: RecordChunk): Promise<BadRecord | undefined> {
    const cursor = chunk.cursor();
    const { transaction, counts, refused } = this.#into;
    for (let more = this.#begin(cursor); more; more = cursor.next()) {
      counts.records += 1;
      if (refused.size > 0 && this.#refusedBefore(cursor.offset)) continue;
      try {
        counts.rows += transaction.appendRecord(cursor);
        counts.produced += 1;
      } catch (error) {
        const bad = this.#follow(cursor.offset, error);
        if (bad !== undefined) return bad;
      }
      if (transaction.needsDrain) await transaction.drain();
    }
    // Copied, all of it: its memory can be read into again.
    chunk.release();
    return undefined;
  }

  async #byRecord(cursor: RecordCursor, transform: RecordTransform): Promise<BadRecord | undefined> {
    const { transaction, counts, refused, batchTimeMs, signal } = this.#into;
    for (let more = this.#begin(cursor); more; more = cursor.next()) {
      counts.records += 1;
      if (refused.size > 0 && this.#refusedBefore(cursor.offset)) continue;
      try {
        const pending = this.#stage.record(transform, cursor.record(), batchTimeMs, signal);
        this.#append(cursor, pending instanceof Promise ? await pending : pending);
      } catch (error) {
        const bad = this.#follow(cursor.offset, error);
        if (bad !== undefined) return bad;
      }
      const breather = this.#stage.breather(signal);
      if (breather !== undefined) await breather;
      if (transaction.needsDrain) await transaction.drain();
    }
    return undefined;
  }

  /** Moves to the first record of a chunk. */
  #begin(cursor: RecordCursor): boolean {
    const hasRecord = cursor.next();
    if (hasRecord && !this.#hasBegun) {
      this.#hasBegun = true;
      this.#into.onFirst(cursor.timestamp);
    }
    return hasRecord;
  }

  async #appendResults(
    chunks: readonly RecordChunk[],
    results: readonly TransformResult[],
  ): Promise<BadRecord | undefined> {
    const { transaction, counts, refused } = this.#into;
    let index = 0;
    for (const chunk of chunks) {
      const cursor = chunk.cursor();
      while (cursor.next()) {
        counts.records += 1;
        if (refused.size > 0 && this.#refusedBefore(cursor.offset)) continue;
        try {
          this.#append(cursor, results[index]);
        } catch (error) {
          const bad = this.#follow(cursor.offset, error);
          if (bad !== undefined) return bad;
        }
        index += 1;
        if (transaction.needsDrain) await transaction.drain();
      }
    }
    return undefined;
  }

  /** All rows of a record or none. */
  #append(cursor: RecordCursor, result: TransformResult): void {
    const { transaction, counts } = this.#into;
    if (result === undefined || result === null) {
      counts.dropped += 1;
      return;
    }
    if (!Array.isArray(result)) {
      transaction.appendRow(cursor, result as Row);
      counts.rows += 1;
      counts.produced += 1;
      return;
    }
    transaction.mark();
    try {
      for (const row of result) transaction.appendRow(cursor, row);
    } catch (error) {
      transaction.rewindToMark();
      throw error;
    }
    counts.rows += result.length;
    if (result.length === 0) counts.dropped += 1;
    else counts.produced += 1;
  }

  /** Applies the record policy to an error about the present record. */
  #follow(offset: bigint, error: unknown): BadRecord | undefined {
    if (!isAboutRecord(error)) throw error;
    const { counts, policy, skipped } = this.#into;
    if (policy === 'stop') {
      counts.records -= 1;
      return { offset, error };
    }
    counts.skipped += 1;
    skipped.push({ offset, error });
    return undefined;
  }

  #refusedBefore(offset: bigint): boolean {
    const error = this.#into.refused.get(offset);
    if (error === undefined) return false;
    this.#into.counts.skipped += 1;
    this.#into.skipped.push({ offset, error });
    return true;
  }
}

function recordsOf(chunks: readonly RecordChunk[], refused: ReadonlyMap<bigint, unknown>): KafkaRecord[] {
  const records: KafkaRecord[] = [];
  for (const chunk of chunks) {
    const cursor = chunk.cursor();
    while (cursor.next()) if (!refused.has(cursor.offset)) records.push(cursor.record());
  }
  return records;
}

const recordErrors: ReadonlySet<string> = new Set([
  'RECORD_UNPARSABLE',
  'RECORD_UNSTORABLE',
  'TRANSFORM_FAILED',
  'TRANSFORM_TIMED_OUT',
  'TRANSFORM_RESULT_INVALID',
]);

function isAboutRecord(error: unknown): error is TidemarkError {
  return isTidemarkError(error) && recordErrors.has(error.code);
}
