import { messageOf, TidemarkError } from '../../errors.ts';
import type { Clock } from '../../platform/index.ts';
import type { Row } from '../../sinks/index.ts';
import { Faults } from './faults.ts';
import { Ledger } from './ledger.ts';

/** Calls of the store, by the names of its port; `commitGap` is its own `commitRanges`. */
export type StoreCall =
  | 'open'
  | 'registerOwner'
  | 'owners'
  | 'read'
  | 'initialise'
  | 'claim'
  | 'release'
  | 'setState'
  | 'swapTopicId'
  | 'commitGap'
  | 'newestRange'
  | 'controls'
  | 'ranges'
  | 'newestRanges'
  | 'move'
  | 'remove'
  | 'interrupt'
  | 'order'
  | 'withdraw';

/** Calls of store and sink. `commitRanges` is the commit of a transaction with rows. */
export type DatabaseCall = StoreCall | 'openSink' | 'begin' | 'drain' | 'commitRanges';

/** A row in the database, with the record it was made of. */
export interface MemoryRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly row: Row;
}

/** Says why a row is refused, undefined for a row that is not. */
export type Refusal = (row: MemoryRow) => string | undefined;

/** The server behind the stores and sinks of a memory database. */
export class DatabaseServer {
  readonly clock: Clock;
  readonly faults: Faults<DatabaseCall>;
  readonly rows: MemoryRow[] = [];
  readonly refusals = new Set<{ readonly at: 'append' | 'commit'; readonly why: Refusal }>();
  /** What cuts each open transaction, with the instance id of its process. */
  readonly transactions = new Map<AbortController, string>();
  readonly #ledgers = new Map<string, Ledger>();
  #isAway = false;

  constructor(clock: Clock) {
    this.clock = clock;
    this.faults = new Faults(clock, unreachable);
  }

  ledger(pipeline: string): Ledger {
    const ledger = this.#ledgers.get(pipeline) ?? new Ledger(this.clock);
    this.#ledgers.set(pipeline, ledger);
    return ledger;
  }

  /** Those that have rows. */
  pipelines(): readonly string[] {
    return [...this.#ledgers].flatMap(([name, ledger]) => (ledger.read(undefined).length > 0 ? [name] : [])).sort();
  }

  away(): void {
    this.#isAway = true;
    this.cutTransactions();
  }

  back(): void {
    this.#isAway = false;
  }

  cutTransactions(instanceId?: string): void {
    for (const [cut, of] of this.transactions) {
      if (instanceId === undefined || of === instanceId) cut.abort(unreachable('drain'));
    }
  }

  /** A call that can be made again without harm. */
  async ask<T>(call: DatabaseCall, client: string, signal: AbortSignal, work: () => T): Promise<T> {
    await this.#meet(call, 'request', client, signal);
    const result = work();
    await this.#meet(call, 'answer', client, signal);
    return result;
  }

  /** A call that must not happen twice: COMMIT_IN_DOUBT when only its answer is lost. */
  async commit(call: DatabaseCall, client: string, signal: AbortSignal, work: () => void): Promise<void> {
    await this.#meet(call, 'request', client, signal);
    work();
    try {
      await this.#meet(call, 'answer', client, signal);
    } catch (cause) {
      const text = `The answer of the commit is missing, whether it happened is unknown: ${messageOf(cause)}`;
      throw new TidemarkError('COMMIT_IN_DOUBT', text, { cause, hint: 'The row of the ledger says what happened.' });
    }
  }

  async #meet(call: DatabaseCall, at: 'request' | 'answer', client: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#requireHere(call);
    await this.faults.meet(call, at, { client }, signal);
    signal.throwIfAborted();
    this.#requireHere(call);
  }

  #requireHere(call: DatabaseCall): void {
    if (this.#isAway) throw unreachable(call);
  }
}

const sinkCalls: readonly string[] = ['openSink', 'begin', 'drain', 'commitRanges'] satisfies DatabaseCall[];

/** The failure of a call that did not arrive. */
function unreachable(call: DatabaseCall): TidemarkError {
  const code = sinkCalls.includes(call) ? 'SINK_UNREACHABLE' : 'STORE_UNREACHABLE';
  return new TidemarkError(code, `The memory database does not answer to ${call}`, { retriable: true });
}
