import type { EventEmitter } from 'node:events';
import type { Client, QueryConfig, QueryResult, QueryResultRow, Submittable } from 'pg';
import { TidemarkError } from '../../errors.ts';
import { transactionGone, transactionHint } from './failures.ts';

/**
 * What a function sink gets of the connection: queries, in the transaction that the sink begins and commits. Statements
 * that would end it are refused where they can be seen; SAVEPOINT and ROLLBACK TO are free to use.
 */
export interface TransactionClient {
  query<R extends QueryResultRow = Record<string, unknown>>(
    query: string | QueryConfig,
    values?: readonly unknown[],
  ): Promise<QueryResult<R>>;
  /** Query objects of other packages, such as pg-cursor and pg-copy-streams. */
  query<T extends Submittable>(query: T): T;
}

/** First words of statements that begin or end a transaction; comments and semicolons may stand before them. */
const controlling =
  /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))\b/i;

/**
 * Hears from the server that a transaction was committed, whoever sent the statement and in whatever string it stood. The
 * commit's own guard would find it too, but not when the function throws afterwards.
 */
export class TransactionEnds {
  readonly #connection: EventEmitter;
  readonly #onCommit: (error: TidemarkError) => void;
  #error: TidemarkError | undefined;

  constructor(client: Client, onCommit: (error: TidemarkError) => void) {
    this.#onCommit = onCommit;
    // Missing in the driver's types: its connection emits each message of the server.
    this.#connection = (client as unknown as { readonly connection: EventEmitter }).connection;
    this.#connection.on('commandComplete', this.#look);
  }

  /** Something is visible, or prepared to be, without its offsets. */
  get error(): TidemarkError | undefined {
    return this.#error;
  }

  stop(): void {
    this.#connection.off('commandComplete', this.#look);
  }

  readonly #look = ({ text }: { readonly text: string }): void => {
    // The tag of a COMMIT that had nothing to commit any more is ROLLBACK.
    if ((text !== 'COMMIT' && text !== 'PREPARE TRANSACTION') || this.#error !== undefined) return;
    this.#error = new TidemarkError(
      'SINK_TRANSACTION_ENDED',
      `The function of the sink ended its transaction with ${text}: what it had written by then is in the database without its offsets, and would be there twice after another run`,
      { hint: `Remove what it committed, then mend the function and start the pipeline again. ${transactionHint}` },
    );
    this.#onCommit(this.#error);
  };
}

/** The client of one transaction: usable until `end`. */
export class GuardedClient implements TransactionClient {
  readonly #client: Client;
  readonly #pending = new Set<Promise<unknown>>();
  #isOver = false;

  constructor(client: Client) {
    this.#client = client;
  }

  query<R extends QueryResultRow>(query: string | QueryConfig, values?: readonly unknown[]): Promise<QueryResult<R>>;
  query<T extends Submittable>(query: T): T;
  query(query: string | QueryConfig | Submittable, values?: readonly unknown[]): unknown {
    this.#check(query);
    const answer: unknown =
      typeof query === 'string'
        ? this.#client.query(query, values as unknown[])
        : this.#client.query(query as QueryConfig);
    if (!(answer instanceof Promise)) return answer;
    // The caller has the rejection; here it only counts as over.
    const over = answer.catch(() => {});
    this.#pending.add(over);
    void over.then(() => this.#pending.delete(over));
    return answer;
  }

  /** No query from here on. Resolves when those that were not awaited are answered as well. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#pending);
  }

  #check(query: string | QueryConfig | Submittable): void {
    if (this.#isOver) {
      throw new TidemarkError('PIPELINE_STATE', 'The transaction is over: its client cannot be used any more', {
        hint: 'Await every query before the function of the sink returns.',
      });
    }
    const text = typeof query === 'string' ? query : (query as Partial<QueryConfig>).text;
    const word = typeof text === 'string' ? controlling.exec(text)?.[1] : undefined;
    if (word !== undefined) {
      throw new TidemarkError('SINK_TRANSACTION_ENDED', `The function of the sink must not run ${word.toUpperCase()}`, {
        hint: 'The sink begins the transaction, and commits it with the offsets; throw to roll it back.',
      });
    }
  }
}

/** Throws when the transaction is not open any more, or cannot commit. Tells only what the last answer said. */
export function checkTransactionStatus(client: Client): void {
  const status = (client as unknown as { getTransactionStatus(): string | null }).getTransactionStatus();
  if (status === 'T') return;
  throw status === 'E' ? statementFailed() : transactionGone();
}

/** The transaction is aborted by an error that the function kept to itself. */
export function statementFailed(cause?: Error): TidemarkError {
  return new TidemarkError(
    'SINK_TRANSACTION_ENDED',
    'A statement of the function of the sink failed, and the function returned all the same; nothing of it is committed',
    {
      hint: 'Let the error pass, or wrap the statement in SAVEPOINT and ROLLBACK TO.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
