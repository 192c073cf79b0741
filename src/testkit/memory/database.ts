import type { TopicPartition } from '../../model/index.ts';
import type { CommittedRange, NewControl, StoredOffset, StorePlace } from '../../offsets/index.ts';
import { type Clock, systemClock } from '../../platform/index.ts';
import type { SinkContext, SinkDefinition } from '../../sinks/index.ts';
import { type DatabaseCall, DatabaseServer, type MemoryRow, type Refusal } from './databaseServer.ts';
import type { Faults } from './faults.ts';
import { MemorySink } from './sink.ts';
import { MemoryStore } from './store.ts';

export interface MemoryDatabaseOptions {
  /** The time of the database: ages of heartbeats. Default: the system's. */
  readonly clock?: Clock;
  /** Transactions that one process may have open at a time. Default 4. */
  readonly connections?: number;
}

/**
 * A database in memory: rows and ledger, with transactions that hold both. Give it to a pipeline as its sink:
 *
 * ```ts
 * const database = new MemoryDatabase();
 * const pipeline = definePipeline({ pipeline: 'orders', kafka: cluster, source: { topics: ['orders'] }, sink: database });
 * ```
 *
 * What was not committed has left nothing; a commit under a claim that is no longer in the ledger is refused.
 */
export class MemoryDatabase implements SinkDefinition {
  /** What goes wrong between a process and the database. A `commitRanges` that fails `at: 'answer'` is COMMIT_IN_DOUBT. */
  readonly faults: Faults<DatabaseCall>;
  readonly #server: DatabaseServer;
  readonly #connections: number;

  constructor({ clock = systemClock, connections = 4 }: MemoryDatabaseOptions = {}) {
    this.#server = new DatabaseServer(clock);
    this.#connections = connections;
    this.faults = this.#server.faults;
  }

  /** For `sink` of the options of a pipeline. */
  createSink(context: SinkContext): MemorySink {
    return new MemorySink(this.#server, context, this.#connections);
  }

  /** The ledger of a pipeline as one process uses it, without a sink. */
  store(pipeline: string): MemoryStore {
    return new MemoryStore(this.#server, pipeline);
  }

  /** Committed rows in the order of their commits. */
  get rows(): readonly MemoryRow[] {
    return this.#server.rows;
  }

  /** Rows of the ledger of a pipeline, by topic and partition. */
  offsets(pipeline: string): readonly StoredOffset[] {
    return this.#server.ledger(pipeline).read(undefined);
  }

  /** What was committed of a partition, oldest first. */
  history(pipeline: string, of: TopicPartition): readonly CommittedRange[] {
    return this.#server.ledger(pipeline).history(of);
  }

  /**
   * Refuses rows: at the commit, as a constraint does (SINK_REFUSED naming the record), or when they are appended, as a type
   * does (RECORD_UNSTORABLE). The returned function takes it back.
   */
  refuse(why: Refusal, { at = 'commit' }: { readonly at?: 'append' | 'commit' } = {}): () => void {
    const refusal = { at, why };
    this.#server.refusals.add(refusal);
    return () => this.#server.refusals.delete(refusal);
  }

  /** The database is away: open transactions are cut, calls fail with STORE_UNREACHABLE or SINK_UNREACHABLE until `back`. */
  away(): void {
    this.#server.away();
  }

  back(): void {
    this.#server.back();
  }

  /** Cuts the open transactions, of one process or of all. */
  cutTransactions(instanceId?: string): void {
    this.#server.cutTransactions(instanceId);
  }

  /** Where the ledgers of all pipelines live, as an operator's tool sees it. */
  get place(): StorePlace {
    return {
      name: 'memory',
      pipelines: async () => this.#server.pipelines(),
      store: (pipeline) => this.store(pipeline),
    };
  }

  /** Gives an operator's order and interrupts nobody; the returned function takes it back. */
  order(pipeline: string, control: NewControl): () => void {
    const ledger = this.#server.ledger(pipeline);
    const { id } = ledger.keepOrder(control, 'operator');
    return () => ledger.withdraw([id]);
  }

  /** Writes a row's offset behind the back of its owner, as someone does by hand. */
  moveByHand(pipeline: string, of: TopicPartition, nextOffset: bigint): void {
    this.#server.ledger(pipeline).changeByHand(of, { nextOffset });
  }

  /** Removes a row, as someone does by hand. */
  removeByHand(pipeline: string, of: TopicPartition): void {
    this.#server.ledger(pipeline).removeByHand(of);
  }
}
