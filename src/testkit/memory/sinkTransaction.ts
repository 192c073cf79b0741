import { TidemarkError } from '../../errors.ts';
import { partitionName, type RecordCursor } from '../../model/index.ts';
import { type RangeCommit, requireAccounted } from '../../offsets/index.ts';
import { turnEventLoop } from '../../platform/index.ts';
import type { Row, SinkTransaction } from '../../sinks/index.ts';
import type { DatabaseServer, MemoryRow } from './databaseServer.ts';

/** Rows between two looks at the event loop. */
const drainRows = 5_000;

/**
 * A transaction: its rows are nobody's but its own until the commit puts them into the database together with the ledger.
 * `open` → `committing` → `over`; `abort` leads to `over` from each of them.
 */
export class MemorySinkTransaction implements SinkTransaction {
  needsDrain = false;
  readonly #server: DatabaseServer;
  readonly #ledger: string | undefined;
  readonly #instanceId: string;
  readonly #onOver: () => void;
  readonly #cut = new AbortController();
  readonly #rows: MemoryRow[] = [];
  #rowsAtMark = 0;
  /** `mark` was called, and no row was added since. */
  #isMarked = false;
  #state: 'open' | 'committing' | 'over' = 'open';

  /** `ledger`: the pipeline whose ledger is in the database; undefined: it is elsewhere. */
  constructor(server: DatabaseServer, ledger: string | undefined, instanceId: string, onOver: () => void) {
    this.#server = server;
    this.#ledger = ledger;
    this.#instanceId = instanceId;
    this.#onOver = onOver;
    server.transactions.set(this.#cut, instanceId);
  }

  /** Without a transform a row is the record: key, value, headers, timestamp, copied. */
  appendRecord(cursor: RecordCursor): number {
    const { key, value, headers, timestamp } = cursor.record();
    this.#setMark();
    this.#append(cursor, {
      key: copyOf(key),
      value: copyOf(value),
      headers: headers.map(([name, bytes]) => [name, copyOf(bytes)]),
      timestamp,
    });
    return 1;
  }

  /** Rows of one record follow each other and are all or none: a row that is refused takes those before it along. */
  appendRow(cursor: RecordCursor, row: Row): void {
    const isFirst = this.#isMarked || this.#rows.at(-1)?.offset !== cursor.offset || !this.#isOf(cursor);
    this.#isMarked = false;
    if (isFirst) this.#setMark();
    try {
      this.#append(cursor, { ...row });
    } catch (error) {
      this.rewindToMark();
      throw error;
    }
  }

  mark(): void {
    this.#setMark();
    this.#isMarked = true;
  }

  rewindToMark(): void {
    this.#rows.length = this.#rowsAtMark;
  }

  async drain(): Promise<void> {
    this.#requireOpen();
    await this.#server.ask('drain', this.#instanceId, this.#cut.signal, () => {});
    await turnEventLoop();
    this.#requireOpen();
    this.needsDrain = false;
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    this.#requireOpen();
    for (const commit of commits) requireAccounted(commit);
    this.#state = 'committing';
    try {
      await this.#server.commit('commitRanges', this.#instanceId, this.#cut.signal, () => this.#commit(commits));
      this.#end();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'over') return;
    this.#cut.abort(new TidemarkError('PIPELINE_STATE', 'The transaction was rolled back'));
    this.#end();
  }

  /** What the server does at once: ledger and rows, or neither. */
  #commit(commits: readonly RangeCommit[]): void {
    for (const row of this.#rows) {
      const why = this.#refusal(row, 'commit');
      if (why !== undefined) throw recordError('SINK_REFUSED', row, why);
    }
    if (this.#ledger !== undefined) this.#server.ledger(this.#ledger).commit(commits);
    for (const row of this.#rows) this.#server.rows.push(row);
  }

  #append(cursor: RecordCursor, row: Row): void {
    const { topic, partition, offset } = cursor;
    const made = { topic, partition, offset, row };
    const why = this.#refusal(made, 'append');
    if (why !== undefined) throw recordError('RECORD_UNSTORABLE', made, why);
    this.#rows.push(made);
    if (this.#rows.length % drainRows === 0) this.needsDrain = true;
  }

  #refusal(row: MemoryRow, at: 'append' | 'commit'): string | undefined {
    for (const refusal of this.#server.refusals) {
      const why = refusal.at === at ? refusal.why(row) : undefined;
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #isOf({ topic, partition }: RecordCursor): boolean {
    const last = this.#rows.at(-1);
    return last?.topic === topic && last.partition === partition;
  }

  #setMark(): void {
    this.#rowsAtMark = this.#rows.length;
  }

  #requireOpen(): void {
    if (this.#state !== 'open') throw new TidemarkError('PIPELINE_STATE', 'The transaction is over');
    this.#cut.signal.throwIfAborted();
  }

  #end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#server.transactions.delete(this.#cut);
    this.#onOver();
  }
}

function copyOf(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}

function recordError(code: 'SINK_REFUSED' | 'RECORD_UNSTORABLE', of: MemoryRow, why: string): TidemarkError {
  const { topic, partition, offset } = of;
  const text = `The memory database refuses a row of ${partitionName(of)} at offset ${offset}: ${why}`;
  return new TidemarkError(code, text, { topic, partition, offset });
}
