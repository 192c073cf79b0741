import type { Client } from 'pg';
import { TidemarkError } from '../../errors.ts';
import { leave, quoteIdentifier } from '../../offsets/stores/postgres/index.ts';
import { type Clock, withDeadline } from '../../platform/index.ts';

export interface LockWatchOptions {
  readonly clock: Clock;
  /** Opens a connection beside the writing ones. */
  readonly connect: () => Promise<Client>;
  readonly pipeline: string;
  /** Of our write connections. */
  readonly applicationName: string;
  /** undefined: the ledger is elsewhere, and only what this process gave up is known as dead. */
  readonly ledgerSchema: string | undefined;
  /** How long a statement waits before the first look, and between looks. */
  readonly everyMs: number;
}

/** Lost connections that are remembered. */
const abandonedMax = 100;
/** A look that comes late is of no use, and closing waits for it. */
const lookDeadlineMs = 2000;
const late = () =>
  new TidemarkError('SINK_UNREACHABLE', 'A look at who holds locks was not answered', { retriable: true });

/**
 * Frees a transaction of ours from locks that the dead hold.
 *
 * Sequence: a process is frozen in the middle of its COPY, with unique keys written and not committed. Its claims are
 * taken over. The successor writes the same keys and has to wait for a transaction that will never end: no time-out of
 * the server ends a COPY that waits for its client, and `lock_timeout` only makes the successor fail again and again.
 * So while a statement waits, we look at who blocks it, and terminate backends
 * - of processes of this pipeline that hold no claim any more (`application_name` carries the instance id), and
 * - of our own connections that we gave up as lost, whose backends may not have noticed.
 * Such a backend can commit nothing: its claim is not in the ledger. Everybody else is waited for.
 */
export class LockWatch {
  readonly #options: LockWatchOptions;
  /** Process ids of connections that were given up. */
  readonly #abandoned = new Set<number>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: LockWatchOptions) {
    this.#options = options;
  }

  /** A connection was lost, and its backend may not know. */
  abandon(processId: number): void {
    this.#abandoned.add(processId);
    const [oldest] = this.#abandoned;
    if (this.#abandoned.size > abandonedMax && oldest !== undefined) this.#abandoned.delete(oldest);
  }

  /** As `abandon`, for a connection that we cut: its backend may be at a long statement and not look at its socket before the end. */
  terminate(processId: number): void {
    this.abandon(processId);
    const { applicationName } = this.#options;
    const text = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2';
    this.#track(this.#query(text, [processId, applicationName]));
  }

  /** The process id is that of a new connection. */
  adopt(processId: number): void {
    this.#abandoned.delete(processId);
  }

  /** Looks while `work` is pending. */
  async during<T>(work: Promise<T>): Promise<T> {
    const { clock, everyMs, applicationName, pipeline } = this.#options;
    let cancel = () => {};
    let isOver = false;
    const schedule = () => {
      cancel = clock.after(everyMs, () => {
        const look = this.#query(this.#blockersText(), [applicationName, pipeline, [...this.#abandoned]]);
        this.#track(look.finally(() => (isOver ? undefined : schedule())));
      });
    };
    schedule();
    try {
      return await work;
    } finally {
      isOver = true;
      cancel();
    }
  }

  /** Resolves when nothing is under way; nothing begins any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.then(() => this.#running.delete(work));
  }

  /** On a connection of its own: ours is the one that waits. Never rejects. */
  async #query(text: string, values: unknown[]): Promise<void> {
    if (this.#isClosed) return;
    let client: Client | undefined;
    try {
      client = await this.#options.connect();
      await withDeadline(client.query(text, values), lookDeadlineMs, this.#options.clock, late);
    } catch {
      // What waits has a time-out, and an error of its own that says what is wrong; looks are repeated.
    } finally {
      if (client !== undefined) await leave(client, this.#options.clock);
    }
  }

  #blockersText(): string {
    return `
      SELECT pg_terminate_backend(blocker.pid)
      FROM pg_stat_activity waiter
      CROSS JOIN LATERAL unnest(pg_blocking_pids(waiter.pid)) AS blocking (pid)
      JOIN pg_stat_activity blocker ON blocker.pid = blocking.pid
      WHERE waiter.application_name = $1 AND waiter.wait_event_type = 'Lock' AND waiter.datname = current_database()
        AND CASE WHEN blocker.application_name = $1 THEN blocker.pid = ANY ($3::int[])
            ELSE ${this.#holdsNoClaim()} END`;
  }

  /** The blocker is a process of this pipeline without a claim. */
  #holdsNoClaim(): string {
    const { ledgerSchema } = this.#options;
    // The parameter is there all the same: the server wants to know its type.
    if (ledgerSchema === undefined) return '$2::text IS NULL';
    const schema = quoteIdentifier(ledgerSchema);
    const named = (instance: string) => `blocker.application_name = left('tidemark:' || ${instance}, 63)`;
    return `EXISTS (SELECT FROM ${schema}.owners o WHERE o.pipeline = $2 AND ${named('o.instance_id')})
              AND NOT EXISTS (SELECT FROM ${schema}.offsets p
                              WHERE p.pipeline = $2 AND p.claim IS NOT NULL AND ${named('p.owner')})`;
  }
}
