import { isTidemarkError, messageOf, TidemarkError } from '../../errors.ts';
import type { DeliveryGuarantee, KafkaRecord, OffsetRange, RecordCursor, TopicPartition } from '../../model/index.ts';
import type { OffsetStore, RangeCommit } from '../../offsets/index.ts';
import { failpoint } from '../../platform/index.ts';
import type { Row, Sink, SinkContext, SinkDefinition, SinkTransaction } from '../sink.ts';
import { beginText, endText, transactionGuard } from './commitText.ts';
import { isServerError } from './connection/exchange.ts';
import type { WriteConnection } from './connection/writeConnection.ts';
import { CopyWriter, type FramePool } from './copyWriter.ts';
import { connectionLost, rowsFailure } from './failures.ts';
import { SinkDatabase } from './sinkDatabase.ts';
import {
  checkTransactionStatus,
  GuardedClient,
  statementFailed,
  type TransactionClient,
  TransactionEnds,
} from './transactionClient.ts';
import { TransactionEnd, type TransactionEndOptions } from './transactionEnd.ts';

/** What the function of `postgres.transaction` gets: the records of one transaction. */
export interface TransactionBatch {
  /** One, or with `batch.transaction: batch` one for each partition. */
  readonly ranges: readonly OffsetRange[];
  /** Time of the batch, ms since 1970. */
  readonly batchTimeMs: number;
  /** In offset order within a partition; with a transform those that gave a row. */
  readonly records: readonly KafkaRecord[];
  /** What the transform made of them, in the same order; empty without a transform. */
  readonly rows: readonly { readonly record: KafkaRecord; readonly row: Row }[];
}

/**
 * Resolving commits, together with the offsets of the batch; throwing rolls back. A function that ends the transaction
 * itself, or passes over a failed statement, parks its partition at once (SINK_TRANSACTION_ENDED).
 */
export type TransactionFunction = (batch: TransactionBatch, client: TransactionClient) => Promise<void> | void;

export interface TransactionOptions {
  /** postgres:// URL of the database that also holds the ledger. Default: the PG… variables of the environment, as `pg` reads them. */
  readonly connectionString?: string | undefined;
  /** Schema of the ledger. Default `tidemark`. */
  readonly ledgerSchema?: string | undefined;
  /** Write connections: functions that run at once. Default 2. */
  readonly connections?: number | undefined;
  /** Longest wait for a lock. Default 5000. */
  readonly lockTimeoutMs?: number | undefined;
  /** Longest time between two statements of the function; then the server ends the transaction. Default 60 000. */
  readonly idleTimeoutMs?: number | undefined;
  /** Longest wait for the answer of the commit. Default 60 000. */
  readonly commitTimeoutMs?: number | undefined;
}

/**
 * A sink that runs your SQL in the transaction that moves the ledger: once for each partition of a batch, or once for a batch
 * with `batch.transaction: batch`. What the function does in the database happens exactly once; what it does elsewhere may
 * happen again after a failure. A record given to it counts as produced, as one row.
 */
export function transaction(run: TransactionFunction, options: TransactionOptions = {}): SinkDefinition {
  return { createSink: (context) => new FunctionSink(run, options, context) };
}

class FunctionSink implements Sink {
  readonly kind = 'postgres';
  readonly guarantee: DeliveryGuarantee;
  readonly store: OffsetStore;
  readonly concurrentTransactionsMax: number;
  readonly #run: TransactionFunction;
  readonly #database: SinkDatabase;
  readonly #begin: string;

  constructor(run: TransactionFunction, options: TransactionOptions, context: SinkContext) {
    const { connections = 2, lockTimeoutMs = 5000, idleTimeoutMs = 60_000, commitTimeoutMs = 60_000 } = options;
    const { connectionString = '', ledgerSchema = 'tidemark' } = options;
    const database = { connectionString, ledgerSchema, connections, lockTimeoutMs, commitTimeoutMs };
    this.#run = run;
    this.#begin = beginText({ lock_timeout: lockTimeoutMs, idle_in_transaction_session_timeout: idleTimeoutMs });
    this.#database = new SinkDatabase(database, context);
    this.store = this.#database.store;
    this.guarantee = this.#database.guarantee;
    this.concurrentTransactionsMax = connections;
  }

  async open(): Promise<void> {
    await this.#database.withClient('The sink looks at its database', (client) => client.query('SELECT 1'));
  }

  async begin(partitions: readonly TopicPartition[]): Promise<SinkTransaction> {
    const connection = await this.#database.takeConnection();
    return new FunctionTransaction(connection, {
      ...this.#database.endOptions(partitions, 'the tables of the function'),
      run: this.#run,
      begin: this.#begin,
      frames: this.#database.frames,
      ledgerText: (commits) => this.#database.ledgerText(commits),
    });
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}

interface FunctionTransactionOptions extends TransactionEndOptions {
  readonly run: TransactionFunction;
  readonly begin: string;
  readonly frames: FramePool;
  readonly ledgerText: (commits: readonly RangeCommit[]) => string | undefined;
}

/** in_failed_sql_transaction */
const abortedState = '25P02';

/** Collects the records; all that happens in the database happens in `commitRanges`. */
class FunctionTransaction implements SinkTransaction {
  /** Never: what is collected is bounded by the limits of a batch. */
  readonly needsDrain = false;
  readonly #connection: WriteConnection;
  readonly #options: FunctionTransactionOptions;
  readonly #end: TransactionEnd;
  readonly #records: KafkaRecord[] = [];
  readonly #rows: { readonly record: KafkaRecord; readonly row: Row }[] = [];
  #mark = { records: 0, rows: 0 };
  #isBegun = false;
  #isRunning = false;
  #stop: (error: TidemarkError) => void = () => {};

  constructor(connection: WriteConnection, options: FunctionTransactionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#end = new TransactionEnd(connection, options);
  }

  appendRecord(cursor: RecordCursor): number {
    this.#records.push(cursor.record());
    return 1;
  }

  appendRow(cursor: RecordCursor, row: Row): void {
    const last = this.#records.at(-1);
    const isSame = last?.offset === cursor.offset && last.partition === cursor.partition && last.topic === cursor.topic;
    const record = isSame ? last : cursor.record();
    if (!isSame) this.#records.push(record);
    this.#rows.push({ record, row });
  }

  mark(): void {
    this.#mark = { records: this.#records.length, rows: this.#rows.length };
  }

  rewindToMark(): void {
    this.#records.length = this.#mark.records;
    this.#rows.length = this.#mark.rows;
  }

  async drain(): Promise<void> {
    this.#end.requireOpen();
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    this.#end.requireOpen();
    failpoint('sink.beforeWrite');
    await this.#runFunction(commits);
    failpoint('sink.beforeCommit');
    await this.#end.commit({
      earlier: () => [],
      send: (onTaken) => this.#send(endText(transactionGuard, this.#options.ledgerText(commits)), onTaken),
      explain: (error) => this.#explainCommit(error),
    });
  }

  async abort(): Promise<void> {
    const aborted = new TidemarkError('PIPELINE_STATE', 'The transaction was aborted');
    this.#stop(aborted);
    // A ROLLBACK would wait for the statement that the function is at.
    if (this.#isRunning) this.#connection.destroy(aborted);
    await this.#end.abort(this.#isBegun ? () => {} : undefined);
  }

  async #runFunction(commits: readonly RangeCommit[]): Promise<void> {
    const { client } = this.#connection;
    const guarded = new GuardedClient(client);
    const batch: TransactionBatch = {
      ranges: commits.map(({ range }) => range),
      batchTimeMs: commits[0]?.batchTimeMs ?? 0,
      records: this.#records,
      rows: this.#rows,
    };
    const stopped = new Promise<never>((_, reject) => {
      this.#stop = reject;
    });
    const ends = new TransactionEnds(client, (error) => {
      // Outside of a transaction each further statement would be visible at once.
      void guarded.end();
      this.#stop(error);
    });
    const work = async () => {
      this.#isBegun = true;
      await client.query(this.#options.begin);
      await this.#options.run(batch, guarded);
      await guarded.end();
      checkTransactionStatus(client);
    };
    this.#isRunning = true;
    const forget = this.#connection.onLoss((loss) => this.#stop(connectionLost(loss)));
    try {
      await this.#end.watch(Promise.race([work(), stopped]));
    } catch (error) {
      // Whatever still runs in the function gets no further.
      void guarded.end();
      // Before any other reason: to try again would write a second time what is committed already.
      throw ends.error ?? this.#explain(error);
    } finally {
      ends.stop();
      this.#isRunning = false;
      forget();
    }
  }

  #send(text: string, onTaken: () => void): void {
    const writer = new CopyWriter(this.#options.frames, (frame, length) =>
      this.#connection.send(frame, length, onTaken),
    );
    writer.query(text);
    writer.flush();
    writer.release();
  }

  /**
   * The status that was looked at before may be older than the last statement: its error comes a message earlier than the
   * status that follows from it.
   */
  #explainCommit(error: Error): TidemarkError {
    if (isServerError(error) && error.code === abortedState) return statementFailed(error);
    return rowsFailure(error, { table: this.#options.table, recordOfLine: () => undefined });
  }

  #explain(error: unknown): TidemarkError {
    if (isTidemarkError(error)) return aboutRecord(error) ?? error;
    if (this.#connection.loss !== undefined) return connectionLost(this.#connection.loss);
    if (error instanceof Error && isServerError(error)) {
      return rowsFailure(error, { table: this.#options.table, recordOfLine: () => undefined });
    }
    return new TidemarkError('SINK_REFUSED', `The function of the sink threw: ${messageOf(error)}`, { cause: error });
  }
}

/** An error that names a record, such as `record.json()` throws: the record is refused, and the record policy applies. */
function aboutRecord(error: TidemarkError): TidemarkError | undefined {
  const { topic, partition, offset } = error;
  if (topic === undefined || partition === undefined || offset === undefined) return undefined;
  return new TidemarkError('SINK_REFUSED', error.message, {
    topic,
    partition,
    offset,
    cause: error,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
