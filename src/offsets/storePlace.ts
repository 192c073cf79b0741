import type { OffsetStore } from './store.ts';

/** Where ledgers live: a database, a directory, a Kafka cluster. Holds nothing open between calls. */
export interface StorePlace {
  /** For people, without secrets: what kind of store, and where. */
  readonly name: string;
  /** Names of the pipelines that have rows here, sorted. */
  pipelines(): Promise<readonly string[]>;
  /** The store of one pipeline, not opened. */
  store(pipeline: string): OffsetStore;
}
