import type pg from 'pg';
import { TidemarkError } from '../../../errors.ts';
import { backoffMs, type Clock, withDeadline } from '../../../platform/index.ts';
import { type ConnectionOptions, destroy, leave, openConnection } from './connection.ts';
import { classifyPgError, leavesDoubt, storeContext } from './failures.ts';

export interface RequestOptions extends ConnectionOptions {
  readonly clock: Clock;
  /** Longest wait for the answer to one request. */
  readonly requestDeadlineMs: number;
}

/** A request never waits longer for a lock: heartbeats stand in line behind it. */
const lockTimeoutMs = 2000;
/** Attempts at a request that the server rolled back for a deadlock or a serialization failure. */
const attemptsMax = 10;

/**
 * The store's own connection, made again when it is lost. Requests go one after the other, each as one string of statements
 * that is one transaction: nothing depends on the role's defaults or on the session (a pooler may give each string another),
 * and all values are literals.
 */
export class StoreRequests {
  readonly #options: RequestOptions;
  readonly #limits: string;
  #client: pg.Client | undefined;
  /** Settles when the last request in line is over. */
  #line: Promise<unknown> = Promise.resolve();
  /** Requests in line, the one under way included. */
  #waiting = 0;
  #closed = false;

  constructor(options: RequestOptions) {
    this.#options = options;
    const { requestDeadlineMs } = options;
    const lockMs = Math.max(1, Math.min(lockTimeoutMs, Math.floor(requestDeadlineMs / 2)));
    this.#limits = [...settings(requestDeadlineMs), `SET LOCAL lock_timeout = ${lockMs}`].join(';');
  }

  /** Rows of the last statement. Also where the server takes no writes. */
  read<R extends pg.QueryResultRow>(doing: string, statements: readonly string[]): Promise<readonly R[]> {
    return this.#repeatable<R>(doing, 'READ ONLY', statements);
  }

  /**
   * Statements that are a compare-and-set or idempotent, in one transaction; answers the rows of the last one. When the connection
   * is lost on the way they are sent a second time on a new one: it does not matter whether the first ones were executed.
   */
  write<R extends pg.QueryResultRow>(doing: string, statements: readonly string[]): Promise<readonly R[]> {
    return this.#repeatable<R>(doing, 'READ WRITE', statements);
  }

  /** Statements that must not be executed twice. COMMIT_IN_DOUBT once they were sent and the answer is missing. */
  async once(doing: string, statements: string): Promise<void> {
    await this.#inLine(async () => {
      const client = await this.#connected();
      try {
        await this.#attempts(doing, client, this.#transaction('READ WRITE', [statements]));
      } catch (error) {
        const { cause } = error as TidemarkError;
        if (cause !== undefined && !leavesDoubt(cause)) throw error;
        throw new TidemarkError(
          'COMMIT_IN_DOUBT',
          `${doing}: the answer is missing, whether it happened is unknown: ${(error as TidemarkError).message}`,
          { cause: error, hint: 'The row of the ledger says what happened; claim it afresh before reading it.' },
        );
      }
    });
  }

  /** Cuts a request under way: whoever closes does not wait for a server that may be gone. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting > 0 && this.#client !== undefined) destroy(this.#client);
    await this.#line;
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await leave(client, this.#options.clock);
  }

  #repeatable<R extends pg.QueryResultRow>(
    doing: string,
    mode: string,
    statements: readonly string[],
  ): Promise<readonly R[]> {
    const text = this.#transaction(mode, statements);
    return this.#inLine(async () => {
      const client = await this.#connected();
      try {
        return await this.#attempts<R>(doing, client, text);
      } catch (error) {
        // Lost without an answer, as opposed to too late: then a second one would only wait as long again.
        const isLost = this.#client === undefined && (error as TidemarkError).cause !== undefined;
        if (!isLost || this.#closed) throw error;
        return this.#attempts<R>(doing, await this.#connected(), text);
      }
    });
  }

  #transaction(mode: string, statements: readonly string[]): string {
    return [`BEGIN ISOLATION LEVEL READ COMMITTED ${mode}`, this.#limits, ...statements, 'COMMIT'].join(';');
  }

  /** The driver warns of queries that wait in its own line, and a ROLLBACK has to come before whatever is next. */
  #inLine<T>(request: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const turn = this.#line.then(() => {
      if (this.#closed) throw closedError();
      return request();
    });
    this.#line = turn
      .catch(() => {})
      .then(() => {
        this.#waiting -= 1;
      });
    return turn;
  }

  /** Deadlocks and serialization failures are repeated: the server has rolled back. */
  async #attempts<R extends pg.QueryResultRow>(doing: string, client: pg.Client, text: string): Promise<readonly R[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#send<R>(doing, client, text);
      } catch (error) {
        const { foreignCode } = error as TidemarkError;
        const isRolledBack = foreignCode === '40001' || foreignCode === '40P01';
        if (!isRolledBack || this.#client !== client || attempt >= attemptsMax) throw error;
        await this.#options.clock.sleep(backoffMs(attempt, 5, 100));
      }
    }
  }

  async #send<R extends pg.QueryResultRow>(doing: string, client: pg.Client, text: string): Promise<readonly R[]> {
    try {
      const answer = await this.#answer(doing, client, text);
      // One result for each statement; the last is that of COMMIT.
      return (answer as unknown as readonly pg.QueryResult<R>[]).at(-2)?.rows ?? [];
    } catch (error) {
      const failure = classifyPgError(error, storeContext(doing));
      if (failure.code === 'STORE_UNREACHABLE' || leavesDoubt(error)) this.#lose(client);
      else await this.#rollBack(client);
      throw failure;
    }
  }

  /** The error ended the statements, not the transaction. */
  async #rollBack(client: pg.Client): Promise<void> {
    try {
      await this.#answer('Rolling back', client, 'ROLLBACK');
    } catch {
      // The error that made it necessary is on its way to the caller; without the connection there is no transaction.
      this.#lose(client);
    }
  }

  #answer(doing: string, client: pg.Client, text: string): Promise<pg.QueryResult> {
    const { clock, requestDeadlineMs } = this.#options;
    return withDeadline(client.query(text), requestDeadlineMs, clock, () => late(doing, requestDeadlineMs));
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = await openConnection(this.#options);
    client.once('end', () => this.#forget(client));
    client.once('error', () => this.#forget(client));
    this.#client = client;
    return client;
  }

  #forget(client: pg.Client): void {
    if (this.#client === client) this.#client = undefined;
  }

  #lose(client: pg.Client): void {
    this.#forget(client);
    destroy(client);
  }
}

/** What a transaction of ours must not have from the role's defaults. */
export function settings(statementMs: number): readonly string[] {
  return [`SET LOCAL statement_timeout = ${statementMs}`, 'SET LOCAL search_path = pg_catalog'];
}

function late(doing: string, ms: number): TidemarkError {
  return new TidemarkError('STORE_UNREACHABLE', `${doing}: no answer within ${ms} ms`, {
    retriable: true,
    hint: 'Look at what the server is busy with (pg_stat_activity), and at the network between.',
  });
}

function closedError(): TidemarkError {
  return new TidemarkError('PIPELINE_STATE', 'The offset store is closed');
}
