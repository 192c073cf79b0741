import { TidemarkError } from '../../errors.ts';
import type { TopicPartition } from '../../model/index.ts';
import { type Clock, failpoint } from '../../platform/index.ts';
import { guardMarks } from './commitText.ts';
import { type Answer, isServerError } from './connection/exchange.ts';
import type { WriteConnection } from './connection/writeConnection.ts';
import { transactionGone, typesChanged } from './failures.ts';
import type { LockWatch } from './lockWatch.ts';

export interface TransactionEndOptions {
  readonly clock: Clock;
  readonly lockWatch: LockWatch;
  /** Longest wait for the answer of a commit, or for the server to take more data. */
  readonly commitTimeoutMs: number;
  readonly partitions: readonly TopicPartition[];
  /** For messages. */
  readonly table: string;
  /** What an error of the ledger's statements means; undefined for one that is not the ledger's. */
  readonly ledgerFailure: (error: Error) => TidemarkError | undefined;
  /** Gives the connection back; called once. */
  readonly release: (connection: WriteConnection) => void;
}

/** How the commit is sent and how errors before the ledger are to be understood. */
export interface CommitSteps {
  /** Answers that are due before the commit's own, in the order of their queries. */
  readonly earlier: () => readonly Promise<Answer>[];
  /** Writes the last string to the socket; `onTaken` is called when the operating system has it. */
  readonly send: (onTaken: () => void) => void;
  /** The error of the rows, before or at the check of constraints. `step` counts `earlier`; undefined = the last string. */
  readonly explain: (error: Error, step: number | undefined) => TidemarkError;
}

/** A rollback that takes longer is cut off: the server rolls back by itself when the connection is gone. */
const rollbackTimeoutMs = 5000;
/** The server goes away, or is not the one that takes writes: a new connection may reach a better one. */
const partingStates = /^(?:08|25006|57P)/;

/**
 * The last part of a transaction's life, the same for every kind of output.
 *
 *     open ──commit──▶ committing ──answer──▶ over
 *       └──abort───────────┴───────────────▶ over
 *
 * What an answer, or its absence, means:
 * - an error of the server, and then an answer to ROLLBACK: nothing was committed;
 * - an error of the server, and then the connection is lost: of what was sent before the commit, nothing was committed; of the
 *   commit's own string, unknown (a server that shuts down says so after the commit as well);
 * - no answer: unknown, from the moment the string was handed to the socket.
 */
export class TransactionEnd {
  readonly #connection: WriteConnection;
  readonly #options: TransactionEndOptions;
  #state: 'open' | 'committing' | 'over' = 'open';
  /** Settles when the commit is over, well or badly. */
  #committing: Promise<unknown> = Promise.resolve();

  constructor(connection: WriteConnection, options: TransactionEndOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  requireOpen(): void {
    if (this.#state === 'open') return;
    throw new TidemarkError('PIPELINE_STATE', 'The transaction is over');
  }

  /** Waits for work that the dead may be blocking, however long it takes. */
  watch<T>(work: Promise<T>): Promise<T> {
    return this.#options.lockWatch.during(work);
  }

  /** Waits for the server, which gets `commitTimeoutMs`; then the connection is cut, and `work` sees it as lost. */
  async waitFor<T>(work: Promise<T>): Promise<T> {
    const { clock, commitTimeoutMs } = this.#options;
    const cancel = clock.after(commitTimeoutMs, () => this.#cut(`no answer within ${commitTimeoutMs} ms`));
    try {
      return await this.watch(work);
    } finally {
      cancel();
    }
  }

  /** Sends the commit and waits for what becomes of it. Afterwards the transaction is over, whatever happened. */
  async commit(steps: CommitSteps): Promise<void> {
    this.requireOpen();
    this.#state = 'committing';
    const work = this.#commit(steps);
    this.#committing = work.catch(() => {});
    await work;
  }

  /** Rolls back. `cancel` ends a COPY that is under way; undefined where nothing was sent at all. Never rejects. */
  async abort(cancel: (() => void) | undefined): Promise<void> {
    if (this.#state === 'committing') {
      // The string may have been sent: whoever waits for the commit learns that it is in doubt.
      this.#cut('the transaction was aborted');
      await this.#committing;
    }
    if (this.#state === 'over') return;
    this.#state = 'over';
    if (cancel !== undefined && this.#connection.loss === undefined) {
      cancel();
      await this.#rollback();
    }
    this.#options.release(this.#connection);
  }

  async #commit(steps: CommitSteps): Promise<void> {
    try {
      await this.#outcome(steps);
      failpoint('sink.afterCommit');
    } finally {
      this.#state = 'over';
      this.#options.release(this.#connection);
    }
  }

  async #outcome({ earlier, send, explain }: CommitSteps): Promise<void> {
    const before = earlier();
    const last = this.#connection.expect();
    send(() => this.#passCommitSent());
    const answers = await this.waitFor(Promise.all([...before, last]));
    const step = answers.findIndex(({ error }) => error !== undefined);
    const answer = answers[step];
    if (answer?.error === undefined) {
      this.#requireCommitted(answers.at(-1));
      return;
    }
    const { error } = answer;
    const isEarlier = step < before.length;
    if (!isServerError(error)) throw this.#inDoubt(error);
    const isRolledBack = await this.#rollback();
    if (!isRolledBack && !isEarlier) throw this.#inDoubt(error);
    if (partingStates.test(error.code)) this.#cut(error.message);
    throw isEarlier ? explain(error, step) : this.#lastFailure(error, answer.tags, explain);
  }

  /** By how far the last string came: guard, constraints, ledger and COMMIT. */
  #lastFailure(error: Error, tags: readonly string[], explain: CommitSteps['explain']): TidemarkError {
    if (error.message.includes(guardMarks.types)) return typesChanged(this.#options.table, error);
    if (error.message.includes(guardMarks.transaction)) return transactionGone(error);
    const ledgerError = tags.includes('SET CONSTRAINTS') ? this.#options.ledgerFailure(error) : undefined;
    return ledgerError ?? explain(error, undefined);
  }

  /** True when the server answered: the connection is clean, and nothing is committed. */
  async #rollback(): Promise<boolean> {
    const cancel = this.#options.clock.after(rollbackTimeoutMs, () => this.#cut('no answer to ROLLBACK'));
    try {
      await this.#connection.client.query('ROLLBACK');
      return true;
    } catch (error) {
      // Not swallowed: a connection that cannot roll back is lost, and the server does it when it notices.
      this.#cut((error as Error).message);
      return false;
    } finally {
      cancel();
    }
  }

  #cut(reason: string): void {
    this.#connection.destroy(new Error(reason));
  }

  /** Runs in a callback of the socket, where an exception would end the process. */
  #passCommitSent(): void {
    try {
      failpoint('sink.commitSent');
    } catch (error) {
      this.#cut((error as Error).message);
    }
  }

  #requireCommitted(answer: Answer | undefined): void {
    if (answer?.tags.at(-1) === 'COMMIT') return;
    const message = `The commit was answered with ${answer?.tags.at(-1) ?? 'nothing'}`;
    this.#cut(message);
    throw new TidemarkError('INVARIANT_BROKEN', message);
  }

  #inDoubt(cause: Error): TidemarkError {
    const [first] = this.#options.partitions;
    this.#cut(cause.message);
    return new TidemarkError(
      'COMMIT_IN_DOUBT',
      `The connection was lost after the commit was sent, whether it happened is unknown: ${this.#connection.loss?.message}`,
      { cause, ...(this.#options.partitions.length === 1 ? first : {}) },
    );
  }
}
