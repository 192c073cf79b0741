import type { DeliveryGuarantee, RecordCursor, TopicPartition } from '../model/index.ts';
import type { OffsetStore, RangeCommit } from '../offsets/index.ts';
import type { Clock } from '../platform/index.ts';

/** What a transform returns for a record: field names to values; `columns` of the sink may rename them. */
export type Row = Readonly<Record<string, unknown>>;

/** What a sink is told about the pipeline it serves. */
export interface SinkContext {
  readonly pipeline: string;
  /** Names this process in the ledger and, as `application_name`, in the database. */
  readonly instanceId: string;
  readonly clock: Clock;
  /**
   * The ledger of the pipeline where that is not the sink's. The sink then answers it as its `store`, and its transactions commit their
   * output alone: the pipeline commits the ranges to the store afterwards.
   */
  readonly store?: OffsetStore | undefined;
}

/** A sink that brings itself, in place of a `type` of the configuration. */
export interface SinkDefinition {
  createSink(context: SinkContext): Sink;
}

/**
 * Where a batch's output goes. A sink that can hold the ledger in the same transaction brings its own offset store.
 *
 * Call order: `open` once, then transactions, at most `concurrentTransactionsMax` open at a time, then `close` once.
 */
export interface Sink {
  readonly kind: string;
  /** The best guarantee together with `store`, and why not more. */
  readonly guarantee: DeliveryGuarantee;
  /** The ledger that commits in the sink's own transactions, or that of the context. The pipeline opens it before the sink and closes it after. */
  readonly store: OffsetStore;
  readonly concurrentTransactionsMax: number;
  /**
   * Connects and checks the target against the mapping, all problems in one error: SINK_UNREACHABLE,
   * SINK_TABLE_MISSING, SINK_TABLE_UNSUITABLE, SINK_COLUMN_MISSING, SINK_COLUMN_TYPE. `hasTransform` tells whether
   * rows come from a transform (`appendRow`) or straight from records (`appendRecord`).
   */
  open(context: { readonly hasTransform: boolean }): Promise<void>;
  /** Also while `open`, `begin` or transactions are pending: those are cut and reject, and the server rolls back. */
  close(): Promise<void>;
  /** Starts a transaction for these partitions; waits for a connection. Retriable errors changed nothing. */
  begin(partitions: readonly TopicPartition[]): Promise<SinkTransaction>;
}

/**
 * One transaction: rows, ledger, all or nothing. `append…` in offset order per partition. Ends with exactly one of
 * `commitRanges` or `abort`; after either, or a rejected `drain`, only `abort` may be called (again is a no-op).
 */
export interface SinkTransaction {
  /**
   * Adds the cursor's present record, mapped by the sink itself; answers the number of rows it gave. Throws
   * RECORD_UNPARSABLE or RECORD_UNSTORABLE with topic, partition, offset and column for a record that can never be stored:
   * that record left no trace in the transaction, which goes on.
   */
  appendRecord(cursor: RecordCursor): number;
  /**
   * Adds one row a transform made of the cursor's present record. Throws as `appendRecord`, and TRANSFORM_RESULT_INVALID for
   * what is no row of the target; then the rows of this record that came before are gone as well.
   */
  appendRow(cursor: RecordCursor, row: Row): void;
  /** Before the rows of a record of which there may be several, so that `rewindToMark` can take them back. */
  mark(): void;
  /** Forgets everything appended since the last `mark` of this record. */
  rewindToMark(): void;
  /** True when enough is buffered that the caller should await `drain` before it appends more. */
  readonly needsDrain: boolean;
  /** Sends what is buffered; resolves when there is room again. Rejects when the sink refused or the connection broke. */
  drain(): Promise<void>;
  /**
   * Ends the output and commits it with the ledger, or alone where the context has the store. Rejects with
   * LEDGER_FENCED / LEDGER_MOVED (nothing was written, somebody else owns or moved the row),
   * LEDGER_TAMPERED (nothing was written, the history does not end where the range starts: a person is needed),
   * COMMIT_IN_DOUBT (the connection died after the commit was sent: read the row before doing anything),
   * SINK_REFUSED (the rows are refused; carries the offset of the refused record where the sink tells it),
   * or a retriable error (deadlock, serialization failure, connection lost before the commit was sent: nothing was written).
   */
  commitRanges(commits: readonly RangeCommit[]): Promise<void>;
  /**
   * Rolls back and frees the connection. Never rejects. May be called at any time, also while `drain` or `commitRanges` is
   * pending: that then rejects, `commitRanges` with COMMIT_IN_DOUBT once its bytes may have been sent.
   */
  abort(): Promise<void>;
}
