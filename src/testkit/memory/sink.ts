import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../../errors.ts';
import type { DeliveryGuarantee, TopicPartition } from '../../model/index.ts';
import type { OffsetStore } from '../../offsets/index.ts';
import type { Sink, SinkContext, SinkTransaction } from '../../sinks/index.ts';
import type { DatabaseServer } from './databaseServer.ts';
import { MemorySinkTransaction } from './sinkTransaction.ts';
import { MemoryStore } from './store.ts';

/** The sink of one process into a memory database, whose store is the ledger in the same database, or that of the context. */
export class MemorySink implements Sink {
  readonly kind = 'memory';
  readonly guarantee: DeliveryGuarantee;
  readonly store: OffsetStore;
  readonly concurrentTransactionsMax: number;
  readonly #server: DatabaseServer;
  readonly #context: SinkContext;
  readonly #closing = new AbortController();
  #open = 0;
  /** Those that wait for one of the open transactions to end. */
  readonly #waiting: (() => void)[] = [];

  /** Made by `MemoryDatabase.createSink()`. */
  constructor(server: DatabaseServer, context: SinkContext, concurrentTransactionsMax: number) {
    this.#server = server;
    this.#context = context;
    this.concurrentTransactionsMax = concurrentTransactionsMax;
    this.store = context.store ?? new MemoryStore(server, context.pipeline);
    this.guarantee = context.store === undefined ? 'exactly-once' : 'at-least-once';
    setMaxListeners(0, this.#closing.signal);
  }

  async open(_: { readonly hasTransform: boolean }): Promise<void> {
    await this.#server.ask('openSink', this.#context.instanceId, this.#closing.signal, () => {});
  }

  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('PIPELINE_STATE', 'The sink is closed'));
    for (const wake of this.#waiting.splice(0)) wake();
    this.#server.cutTransactions(this.#context.instanceId);
  }

  async begin(_: readonly TopicPartition[]): Promise<SinkTransaction> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    while (this.#open >= this.concurrentTransactionsMax) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      signal.throwIfAborted();
    }
    this.#open += 1;
    try {
      const { instanceId, pipeline, store } = this.#context;
      await this.#server.ask('begin', instanceId, signal, () => {});
      const ledger = store === undefined ? pipeline : undefined;
      return new MemorySinkTransaction(this.#server, ledger, instanceId, () => this.#ended());
    } catch (error) {
      this.#ended();
      throw error;
    }
  }

  #ended(): void {
    this.#open -= 1;
    this.#waiting.shift()?.();
  }
}
