import { type Clock, systemClock } from '../../../platform/index.ts';
import type { StorePlace } from '../../storePlace.ts';
import { lookAt } from './migrate.ts';
import { PostgresStore } from './postgresStore.ts';
import { quoteIdentifier } from './quote.ts';
import { StoreRequests } from './requests.ts';

export interface PostgresPlaceOptions {
  readonly connectionString: string;
  /** Schema of the ledgers. Default `tidemark`. */
  readonly schema?: string;
  readonly clock?: Clock;
  /** Longest wait for a connection. Default 10 000. */
  readonly connectDeadlineMs?: number;
  /** Longest wait for an answer. Default 10 000. */
  readonly requestDeadlineMs?: number;
}

/** The ledgers of one schema of a database. */
export class PostgresPlace implements StorePlace {
  readonly #options: PostgresPlaceOptions;
  readonly #schema: string;

  constructor(options: PostgresPlaceOptions) {
    this.#options = options;
    this.#schema = options.schema ?? 'tidemark';
  }

  get name(): string {
    return `PostgreSQL ${addressOf(this.#options.connectionString)}, schema ${this.#schema}`;
  }

  async pipelines(): Promise<readonly string[]> {
    const { connectionString, clock = systemClock, connectDeadlineMs, requestDeadlineMs } = this.#options;
    const connection = {
      ...{ connectionString, clock, applicationName: 'tidemark:' },
      deadlineMs: connectDeadlineMs ?? 10_000,
      requestDeadlineMs: requestDeadlineMs ?? 10_000,
    };
    if ((await lookAt(connection, this.#schema)) === 0) return [];
    const requests = new StoreRequests(connection);
    try {
      const select = `SELECT DISTINCT pipeline FROM ${quoteIdentifier(this.#schema)}.offsets ORDER BY pipeline`;
      const rows = await requests.read<{ pipeline: string }>('Looking for pipelines', [select]);
      return rows.map(({ pipeline }) => pipeline);
    } finally {
      await requests.close();
    }
  }

  store(pipeline: string): PostgresStore {
    return new PostgresStore({ ...this.#options, pipeline });
  }
}

/** Host, port and database; user, password and parameters stay out. */
function addressOf(connectionString: string): string {
  try {
    const { host, pathname } = new URL(connectionString);
    return `${host}${pathname}`;
  } catch {
    return 'database';
  }
}
