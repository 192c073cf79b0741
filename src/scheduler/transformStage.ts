import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { type KafkaRecord, partitionName } from '../model/index.ts';
import {
  backoffMs,
  type Clock,
  type ProgressBeacon,
  turnEventLoop,
  unlessAborted,
  withDeadline,
} from '../platform/index.ts';
import type { Row } from '../sinks/index.ts';

/** What user code gets beside the record. */
export interface TransformContext {
  readonly pipeline: string;
  /** Time of the batch, ms since 1970: the same for every record of it. */
  readonly batchTimeMs: number;
  /** 1 on the first try. */
  readonly attempt: number;
  /** Aborted when the pipeline is forced to stop. */
  readonly signal: AbortSignal;
}

/** A row, several rows, or nothing: the record is dropped. */
export type TransformResult = Row | readonly Row[] | undefined | null;

/** One record to rows. Throwing = the record policy. */
export type RecordTransform = (
  record: KafkaRecord,
  context: TransformContext,
) => TransformResult | Promise<TransformResult>;

/** The records of one batch partition to rows: one entry per record, in order, each what a record transform would return. */
export type BatchTransform = (
  records: readonly KafkaRecord[],
  context: TransformContext,
) => readonly TransformResult[] | Promise<readonly TransformResult[]>;

export interface TransformStageOptions {
  readonly pipeline: string;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly beacon: ProgressBeacon | undefined;
}

/** How long user code may keep the event loop from record to record. */
const loopHeldMsMax = 20;
const retryBaseMs = 50;
const retryCapMs = 5000;

/**
 * Calls user code: again after it threw (up to `attempts`, with backoff), never longer than `timeoutMs` for a promise. Every failure
 * leaves as TRANSFORM_FAILED, TRANSFORM_TIMED_OUT or TRANSFORM_RESULT_INVALID naming the record.
 */
export class TransformStage {
  readonly #options: TransformStageOptions;
  /** When the event loop last had its turn between two records, as far as is known. */
  #turnedMs: number;

  constructor(options: TransformStageOptions) {
    this.#options = options;
    this.#turnedMs = options.clock.monotonic();
  }

  /**
   * Rows of one record. Answers synchronously when the transform does: a promise per record would cost more than the
   * transform itself.
   */
  record(
    transform: RecordTransform,
    record: KafkaRecord,
    batchTimeMs: number,
    signal: AbortSignal,
  ): TransformResult | Promise<TransformResult> {
    const { beacon, pipeline } = this.#options;
    beacon?.enter(record.topic, record.partition, record.offset);
    let result: TransformResult | Promise<TransformResult>;
    try {
      result = transform(record, { pipeline, batchTimeMs, attempt: 1, signal });
    } catch (error) {
      return this.#again((context) => transform(record, context), record, batchTimeMs, signal, error);
    } finally {
      beacon?.leave();
    }
    if (!isPromise(result)) return checkedResult(result, record);
    return this.#settled(result, record, signal).then(
      (settled) => checkedResult(settled, record),
      (error) => this.#again((context) => transform(record, context), record, batchTimeMs, signal, error),
    );
  }

  /**
   * To be awaited between records, undefined when there is no need. A transform of a millisecond would keep the event
   * loop for as long as a range takes: the heartbeat would look dead and a standby take over. Rejects when aborted meanwhile.
   */
  breather(signal: AbortSignal): Promise<void> | undefined {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#turnedMs < loopHeldMsMax) return undefined;
    return turnEventLoop().then(() => {
      this.#turnedMs = clock.monotonic();
      signal.throwIfAborted();
    });
  }

  /** Rows of all records of a range, one entry per record. */
  async batch(
    transform: BatchTransform,
    records: readonly KafkaRecord[],
    batchTimeMs: number,
    signal: AbortSignal,
  ): Promise<readonly TransformResult[]> {
    const first = records[0];
    if (first === undefined) return [];
    const { beacon, pipeline, attempts } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      beacon?.enter(first.topic, first.partition, first.offset);
      try {
        const pending = transform(records, { pipeline, batchTimeMs, attempt, signal });
        beacon?.leave();
        const results = await (isPromise(pending) ? this.#settled(pending, first, signal) : pending);
        return checkedResults(results, records, first);
      } catch (error) {
        beacon?.leave();
        if (!worthRetrying(error) || attempt >= attempts) throw failure(error, first, attempt);
        await this.#options.clock.sleep(backoffMs(attempt, retryBaseMs, retryCapMs), signal);
      }
    }
  }

  async #again(
    call: (context: TransformContext) => TransformResult | Promise<TransformResult>,
    record: KafkaRecord,
    batchTimeMs: number,
    signal: AbortSignal,
    firstError: unknown,
  ): Promise<TransformResult> {
    const { pipeline, attempts, clock, beacon } = this.#options;
    let error = firstError;
    let attempt = 1;
    while (attempt < attempts && worthRetrying(error)) {
      await clock.sleep(backoffMs(attempt, retryBaseMs, retryCapMs), signal);
      attempt += 1;
      beacon?.enter(record.topic, record.partition, record.offset);
      try {
        const pending = call({ pipeline, batchTimeMs, attempt, signal });
        beacon?.leave();
        return checkedResult(await (isPromise(pending) ? this.#settled(pending, record, signal) : pending), record);
      } catch (again) {
        beacon?.leave();
        error = again;
      }
    }
    throw failure(error, record, attempt);
  }

  /** A forced stop does not wait for user code: what the promise still gives is thrown away. */
  #settled<T>(pending: Promise<T>, record: KafkaRecord, signal: AbortSignal): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    return withDeadline(
      unlessAborted(pending, signal),
      timeoutMs,
      clock,
      () =>
        new TidemarkError(
          'TRANSFORM_TIMED_OUT',
          `The transform did not settle within ${timeoutMs} ms at ${partitionName(record)} offset ${record.offset}`,
          { ...placeOf(record), hint: 'Let the transform end sooner, or raise transformTimeoutMs.' },
        ),
    );
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<T>).then === 'function';
}

function placeOf(record: KafkaRecord) {
  return { topic: record.topic, partition: record.partition, offset: record.offset };
}

/** What ran out of time may still be running: a second call beside it could do its side effects twice. */
function worthRetrying(error: unknown): boolean {
  return !isTidemarkError(error, 'TRANSFORM_TIMED_OUT') && !isTidemarkError(error, 'TRANSFORM_RESULT_INVALID');
}

function failure(error: unknown, record: KafkaRecord, attempts: number): TidemarkError {
  // record.json() and record.text() already say what is wrong with the record.
  if (isTidemarkError(error)) return error;
  return new TidemarkError(
    'TRANSFORM_FAILED',
    `The transform threw at ${partitionName(record)} offset ${record.offset} (attempt ${attempts}): ${messageOf(error)}`,
    {
      ...placeOf(record),
      cause: error,
      hint: 'Mend the transform, or set onError.record: skip to pass such records over.',
    },
  );
}

function checkedResult(result: unknown, record: KafkaRecord): TransformResult {
  if (result === undefined || result === null || isRow(result)) return result;
  if (Array.isArray(result) && result.every(isRow)) return result;
  throw new TidemarkError(
    'TRANSFORM_RESULT_INVALID',
    `The transform returned ${describe(result)} at ${partitionName(record)} offset ${record.offset}: a row is an object of column values`,
    { ...placeOf(record), hint: 'Return an object, an array of objects, or nothing to drop the record.' },
  );
}

function checkedResults(
  results: unknown,
  records: readonly KafkaRecord[],
  first: KafkaRecord,
): readonly TransformResult[] {
  if (!Array.isArray(results) || results.length !== records.length) {
    throw new TidemarkError(
      'TRANSFORM_RESULT_INVALID',
      `The batch transform returned ${Array.isArray(results) ? `${results.length} entries` : describe(results)} for ${records.length} records of ${partitionName(first)} from offset ${first.offset} on`,
      { ...placeOf(first), hint: 'Return an array with one entry per record, in order; undefined drops a record.' },
    );
  }
  return results.map((result, index) => checkedResult(result, records[index] ?? first));
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array that holds something else than rows';
  if (Buffer.isBuffer(value)) return 'a Buffer';
  return typeof value === 'object' ? 'null' : `a ${typeof value}`;
}
