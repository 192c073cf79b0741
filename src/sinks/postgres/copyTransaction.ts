import type { TidemarkError } from '../../errors.ts';
import type { RecordCursor } from '../../model/index.ts';
import type { RangeCommit } from '../../offsets/index.ts';
import { failpoint, failpointIsArmed } from '../../platform/index.ts';
import type { Row, SinkTransaction } from '../sink.ts';
import { type CopyTexts, endText } from './commitText.ts';
import type { Answer } from './connection/exchange.ts';
import type { WriteConnection } from './connection/writeConnection.ts';
import { CopyWriter, type FramePool } from './copyWriter.ts';
import { connectionLost, rowsFailure } from './failures.ts';
import type { CopyShape } from './mapping/copyShape.ts';
import type { Mapping } from './mapping/mapping.ts';
import { invalidRow } from './mapping/recordError.ts';
import { RowMap } from './rowMap.ts';
import { TransactionEnd, type TransactionEndOptions } from './transactionEnd.ts';

/** Bytes the socket has not taken yet above which the caller should wait, and down to which it then does. */
const inFlightBytesMax = 262_144;
const inFlightBytesLow = 65_536;

/** Signature, flags, length of the header's extension; and the field count that ends the rows (PostgreSQL's manual, COPY). */
const binaryHeader = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex');
const binaryTrailer = -1;
const noRow: Row = {};

export interface CopyTransactionOptions extends TransactionEndOptions {
  readonly mapping: Mapping;
  readonly texts: CopyTexts;
  readonly frames: FramePool;
  /** The statements that change the ledger. */
  readonly ledgerText: (commits: readonly RangeCommit[]) => string | undefined;
}

/** One COPY of a transaction: rows that differ in their columns need several. */
interface Copy {
  readonly shape: CopyShape;
  /** Number of its first row in the transaction. */
  readonly firstRow: number;
  answer: Promise<Answer> | undefined;
}

/**
 * Rows through COPY, and the ledger, in one transaction.
 *
 * Nothing waits for the server before the end: BEGIN, COPY and data are written as they come (the first bytes leave when
 * the first frame is full), and at the end the rest of the data and the string with ledger and COMMIT follow in one
 * write. A small transaction is one packet out and one back. A COPY that fails leaves the transaction aborted: the
 * server drops the data that still comes, and the last string fails at its first statement.
 */
export class CopyTransaction implements SinkTransaction {
  /** A field, because it is looked at for every record; set where bytes are sent. */
  needsDrain = false;

  readonly #options: CopyTransactionOptions;
  /** Beside the options, whose hidden class differs from transaction to transaction: the code of each record must not depend on it. */
  readonly #mapping: Mapping;
  readonly #connection: WriteConnection;
  readonly #end: TransactionEnd;
  readonly #writer: CopyWriter;
  readonly #rows = new RowMap();
  readonly #copies: Copy[] = [];
  #rowsAtMark = 0;
  /** `mark` was called, and no row was added since. */
  #isMarked = false;
  /** Of the COPY that is open. */
  #shape: CopyShape | undefined;
  /** The first bytes have left. */
  #isSent = false;
  #onTaken: (() => void) | undefined;
  /** The first answer that is an error: the transaction cannot go on. */
  #copyFailure: TidemarkError | undefined;

  constructor(connection: WriteConnection, options: CopyTransactionOptions) {
    this.#options = options;
    this.#mapping = options.mapping;
    this.#connection = connection;
    this.#writer = new CopyWriter(options.frames, (frame, length) => this.#send(frame, length));
    const release = (used: WriteConnection) => {
      this.#writer.release();
      options.release(used);
    };
    this.#end = new TransactionEnd(connection, { ...options, release });
  }

  appendRecord(cursor: RecordCursor): number {
    const mapping = this.#mapping;
    const { shape } = mapping;
    if (this.#shape !== shape) this.#beginCopy(shape);
    this.#setMark();
    try {
      mapping.prepare(cursor);
      shape.write(this.#writer, cursor, noRow);
    } catch (error) {
      this.#writer.rewind();
      throw error;
    }
    this.#rows.append(cursor);
    return 1;
  }

  /** Rows of one record follow each other and are all or none: a row that is refused takes those before it along. */
  appendRow(cursor: RecordCursor, row: Row): void {
    const mapping = this.#mapping;
    const isFirst = this.#isMarked || !this.#rows.endsWith(cursor);
    this.#isMarked = false;
    if (isFirst) this.#setMark();
    try {
      const shape = mapping.shapeOf(cursor, row);
      if (this.#shape !== shape) {
        if (!isFirst) throw mixedRows(cursor, this.#options.table);
        this.#beginCopy(shape);
      }
      mapping.prepare(cursor);
      shape.write(this.#writer, cursor, row);
    } catch (error) {
      this.rewindToMark();
      throw error;
    }
    this.#rows.append(cursor);
  }

  mark(): void {
    this.#setMark();
    this.#isMarked = true;
  }

  rewindToMark(): void {
    this.#writer.rewind();
    this.#rows.truncate(this.#rowsAtMark);
  }

  async drain(): Promise<void> {
    this.#end.requireOpen();
    await this.#end.waitFor(this.#connection.whenRoom(inFlightBytesLow));
    this.needsDrain = false;
    this.#throwFailure();
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    this.#end.requireOpen();
    this.#throwFailure();
    failpoint('sink.beforeCommit');
    if (failpointIsArmed('sink.midCopy')) await this.#stopMidCopy();
    this.#endCopy();
    const { texts, ledgerText } = this.#options;
    const text = endText(texts.guards(this.#copies.map(({ shape }) => shape)), ledgerText(commits));
    this.#writer.query(this.#copies.length === 0 ? `${texts.begin};${text}` : text);
    await this.#end.commit({
      earlier: () => this.#copies.map((copy) => this.#answerOf(copy)),
      send: (onTaken) => this.#flush(onTaken),
      explain: (error, step) => this.#explain(error, this.#copies[step ?? -1]),
    });
  }

  async abort(): Promise<void> {
    await this.#end.abort(this.#isSent ? () => this.#cancelCopy() : undefined);
  }

  #setMark(): void {
    this.#writer.mark();
    this.#rowsAtMark = this.#rows.rows;
  }

  #beginCopy(shape: CopyShape): void {
    this.#endCopy();
    const { texts } = this.#options;
    if (this.#copies.length === 0) failpoint('sink.beforeWrite');
    const text = texts.copy(shape);
    this.#writer.query(this.#copies.length === 0 ? `${texts.begin};${text}` : text);
    this.#writer.beginData();
    if (shape.format === 'binary') {
      this.#writer.copy(binaryHeader, 0, binaryHeader.length);
      this.#writer.mark();
    }
    const copy = { shape, firstRow: this.#rows.rows, answer: undefined };
    this.#copies.push(copy);
    this.#shape = shape;
    if (this.#isSent) void this.#answerOf(copy);
  }

  #endCopy(): void {
    if (this.#shape === undefined) return;
    if (this.#shape.format === 'binary') {
      this.#writer.ensure(2);
      this.#writer.int16(binaryTrailer);
    }
    this.#writer.endData();
    this.#shape = undefined;
  }

  /** A failed COPY is over already, and the server passes over what still comes of it. */
  #cancelCopy(): void {
    if (this.#shape === undefined || this.#copyFailure !== undefined) return;
    this.#writer.rewind();
    this.#writer.endData(true);
    this.#flush();
  }

  /** Is asked for once the query of the COPY is sure to be sent: an answer that is expected has to come. */
  #answerOf(copy: Copy): Promise<Answer> {
    if (copy.answer === undefined) {
      copy.answer = this.#connection.expect();
      void copy.answer.then(({ error }) => {
        if (error !== undefined) this.#copyFailure ??= this.#explain(error, copy);
      });
    }
    return copy.answer;
  }

  #flush(onTaken?: () => void): void {
    this.#onTaken = onTaken;
    this.#writer.flush();
    this.#onTaken = undefined;
  }

  #send(frame: Buffer, length: number): void {
    this.#isSent = true;
    for (const copy of this.#copies) void this.#answerOf(copy);
    this.#connection.send(frame, length, this.#onTaken);
    this.needsDrain = this.#connection.bytesInFlight >= inFlightBytesMax;
  }

  #throwFailure(): void {
    if (this.#copyFailure !== undefined) throw this.#copyFailure;
    if (this.#connection.loss !== undefined) throw connectionLost(this.#connection.loss);
  }

  #explain(error: Error, copy: Copy | undefined): TidemarkError {
    return rowsFailure(error, {
      table: this.#options.table,
      recordOfLine: (line) => (copy === undefined ? undefined : this.#rows.recordOf(copy.firstRow + line - 1)),
    });
  }

  /** For crash tests: every row is on its way to the server, and the COPY has not ended. */
  async #stopMidCopy(): Promise<void> {
    if (this.#shape === undefined) return;
    this.#writer.pauseData();
    await new Promise<void>((resolve) => this.#flush(resolve));
    failpoint('sink.midCopy');
    this.#end.requireOpen();
    this.#writer.beginData();
  }
}

function mixedRows(cursor: RecordCursor, table: string): TidemarkError {
  return invalidRow(
    cursor,
    `has rows that differ in which columns of ${table} with a default they fill: the rows of one record are copied together`,
  );
}
