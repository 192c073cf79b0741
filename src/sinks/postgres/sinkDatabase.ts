import type { Client } from 'pg';
import { TidemarkError } from '../../errors.ts';
import type { DeliveryGuarantee, TopicPartition } from '../../model/index.ts';
import type { OffsetStore, RangeCommit } from '../../offsets/index.ts';
import {
  classifyPgError,
  destroy,
  type FailureContext,
  leave,
  ledgerFailure,
  openConnection,
  PostgresStore,
} from '../../offsets/stores/postgres/index.ts';
import type { SinkContext } from '../sink.ts';
import { ConnectionPool } from './connection/connectionPool.ts';
import type { WriteConnection } from './connection/writeConnection.ts';
import { FramePool } from './copyWriter.ts';
import { LockWatch } from './lockWatch.ts';
import type { TransactionEndOptions } from './transactionEnd.ts';

export interface SinkDatabaseOptions {
  readonly connectionString: string;
  readonly ledgerSchema: string;
  /** Write connections. */
  readonly connections: number;
  readonly lockTimeoutMs: number;
  readonly commitTimeoutMs: number;
}

/** First and then every look at who blocks a statement that waits; never later than half of what the statement itself waits. */
const lockLookMs = 1000;
const connectDeadlineMs = 10_000;
/** A look that comes late is of no use, and closing waits for it. */
const lookDeadlineMs = 2000;

/** What every kind of PostgreSQL sink is made of: the ledger's store, write connections, and the watch for locks of the dead. */
export class SinkDatabase {
  readonly store: OffsetStore;
  /** The ledger in this database; undefined where it is elsewhere. */
  readonly #ledger: PostgresStore | undefined;
  readonly frames = new FramePool();
  readonly #options: SinkDatabaseOptions;
  readonly #context: SinkContext;
  readonly #applicationName: string;
  readonly #pool: ConnectionPool;
  readonly #lockWatch: LockWatch;
  readonly #closing = new AbortController();

  constructor(options: SinkDatabaseOptions, context: SinkContext) {
    const { connectionString, ledgerSchema, connections, lockTimeoutMs } = options;
    const { pipeline, instanceId, clock } = context;
    this.#options = options;
    this.#context = context;
    // As the store's own connection: the instance id is how a successor knows whose backend it is.
    this.#applicationName = `tidemark:${instanceId}`;
    const ledger = { connectionString, pipeline, schema: ledgerSchema, instanceId, clock };
    const own = new PostgresStore(ledger);
    this.#ledger = context.store === undefined ? own : undefined;
    this.store = context.store ?? own;
    this.#lockWatch = new LockWatch({
      clock,
      pipeline,
      ledgerSchema: context.store === undefined ? ledgerSchema : undefined,
      applicationName: this.#applicationName,
      connect: () => this.connect(lookDeadlineMs),
      everyMs: Math.max(1, Math.min(lockLookMs, Math.floor(lockTimeoutMs / 2))),
    });
    this.#pool = new ConnectionPool(() => this.connect(), connections, this.frames, clock);
  }

  /** A connection beside the pool; the caller ends it. Rejects with SINK_UNREACHABLE or SINK_AUTHENTICATION_FAILED. */
  connect(deadlineMs = connectDeadlineMs): Promise<Client> {
    return openConnection({
      deadlineMs,
      connectionString: this.#options.connectionString,
      applicationName: this.#applicationName,
      clock: this.#context.clock,
      signal: this.#closing.signal,
      context: failureContext('The sink cannot connect'),
    });
  }

  /** Runs `work` on a connection of its own, until `close` cuts it; what fails is a SINK_… error. */
  async withClient<T>(doing: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect();
    const { signal } = this.#closing;
    const giveUp = () => destroy(client);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await work(client);
    } catch (error) {
      throw classifyPgError(error, failureContext(doing));
    } finally {
      signal.removeEventListener('abort', giveUp);
      await leave(client, this.#context.clock);
    }
  }

  get guarantee(): DeliveryGuarantee {
    return this.#ledger === undefined ? 'at-least-once' : 'exactly-once';
  }

  /** What the end of a transaction changes in the ledger. */
  ledgerText(commits: readonly RangeCommit[]): string | undefined {
    return this.#ledger?.commitSql(commits);
  }

  async takeConnection(): Promise<WriteConnection> {
    const connection = await this.#pool.take();
    this.#lockWatch.adopt(connection.processId);
    return connection;
  }

  /** What a transaction on a taken connection needs to end; it gives the connection back. */
  endOptions(partitions: readonly TopicPartition[], table: string): TransactionEndOptions {
    return {
      clock: this.#context.clock,
      lockWatch: this.#lockWatch,
      commitTimeoutMs: this.#options.commitTimeoutMs,
      partitions,
      table,
      ledgerFailure: (error: Error): TidemarkError | undefined => ledgerFailure(error),
      release: (connection) => {
        if (connection.isCut) this.#lockWatch.terminate(connection.processId);
        else if (connection.loss !== undefined) this.#lockWatch.abandon(connection.processId);
        this.#pool.give(connection);
      },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('PIPELINE_STATE', 'The sink is closed'));
    await this.#pool.close();
    await this.#lockWatch.close();
  }
}

function failureContext(doing: string): FailureContext {
  return {
    doing,
    unreachable: 'SINK_UNREACHABLE',
    authentication: 'SINK_AUTHENTICATION_FAILED',
    failed: 'SINK_REQUEST_FAILED',
  };
}
