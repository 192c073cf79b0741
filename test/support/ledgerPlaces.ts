/** Ledgers of PostgreSQL for tests: a schema each in one database, and what someone does to them by hand. */
import pg from 'pg';
import type { OffsetStore } from '../../src/offsets/index.ts';
import { PostgresStore, type PostgresStoreOptions, quoteIdentifier } from '../../src/offsets/stores/postgres/index.ts';
import type { LedgerPlace } from '../../src/testkit/index.ts';

export class LedgerPlaces {
  readonly #url: string;
  readonly #client: pg.Client;
  readonly #stores: OffsetStore[] = [];
  #places = 0;

  /** `storeUrl`: where stores connect, when something stands between them and the database. */
  constructor(url: string, storeUrl = url) {
    this.#url = storeUrl;
    this.#client = new pg.Client({ connectionString: url });
  }

  async open(): Promise<void> {
    await this.#client.connect();
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
    await this.#client.end();
  }

  /** SQL of a test, as the superuser, on a connection of its own. */
  async sql<R extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.#client.query<R>(text, [...values])).rows;
  }

  newSchema(): string {
    this.#places += 1;
    return `Ledger "${this.#places}"`;
  }

  newStore(options: Partial<PostgresStoreOptions> & { readonly schema: string }): PostgresStore {
    const store = new PostgresStore({ connectionString: this.#url, pipeline: 'conformance', ...options });
    this.#stores.push(store);
    return store;
  }

  async newPlace(): Promise<LedgerPlace> {
    const schema = this.newSchema();
    const s = quoteIdentifier(schema);
    const row = 'pipeline = $1 AND topic = $2 AND partition = $3';
    return {
      newStore: (pipeline) => this.newStore({ schema, pipeline }),
      moveByHand: async (pipeline, { topic, partition }, nextOffset) => {
        const text = `UPDATE ${s}.offsets SET next_offset = $4 WHERE ${row}`;
        await this.sql(text, [pipeline, topic, partition, String(nextOffset)]);
      },
      removeByHand: async (pipeline, { topic, partition }) => {
        await this.sql(`DELETE FROM ${s}.offsets WHERE ${row}`, [pipeline, topic, partition]);
      },
    };
  }
}
