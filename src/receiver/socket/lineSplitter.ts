const newline = 0x0a;
const carriageReturn = 0x0d;

/** A line beyond the limit. Told twice: when the limit is passed (a newline may never come), and when it has ended. */
export interface LongLine {
  /** 1 = the first of the connection. */
  readonly line: number;
  /** Where it begins; 0 = the first byte of the connection. */
  readonly byteOffset: number;
  /** Of the whole line, without what ends it; undefined while it has not ended. */
  readonly bytes: number | undefined;
}

/**
 * Cuts a stream of bytes into lines. A line ends with \n, and a \r before that belongs to the end; nothing is decoded, so a
 * character may be split over pieces anywhere. Holds at most one unfinished line of `lineBytesMax` bytes.
 */
export class LineSplitter {
  readonly #lineBytesMax: number;
  /** Its first `#heldBytes` bytes are the unfinished line. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  /** Of the unfinished line, held or not. */
  #lineBytes = 0;
  #line = 1;
  #byteOffset = 0;
  #isSkipping = false;
  #endsWithReturn = false;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Bytes of the unfinished line so far. */
  get unfinishedBytes(): number {
    return this.#lineBytes;
  }

  /** The lines that end in `piece`, as copies: `piece` may be written over when the last one was taken. */
  *push(piece: Buffer): Generator<Buffer | LongLine> {
    let from = 0;
    for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, from)) {
      yield* this.#take(piece.subarray(from, at));
      yield this.#endLine();
      from = at + 1;
    }
    yield* this.#take(piece.subarray(from));
  }

  /** The stream ended: what came after the last newline is a line, if there is anything. */
  end(): Buffer | LongLine | undefined {
    if (this.#lineBytes === 0) return undefined;
    this.#endsWithReturn = false;
    return this.#endLine();
  }

  *#take(bytes: Buffer): Generator<LongLine> {
    if (bytes.length === 0) return;
    this.#lineBytes += bytes.length;
    this.#endsWithReturn = bytes[bytes.length - 1] === carriageReturn;
    if (this.#isSkipping) return;
    // One byte more than the limit may be the \r that does not count.
    if (this.#lineBytes > this.#lineBytesMax + 1) {
      this.#isSkipping = true;
      this.#held = Buffer.alloc(0);
      yield this.#longLine(undefined);
      return;
    }
    if (this.#lineBytes > this.#held.length) this.#grow();
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes += bytes.length;
  }

  /** By doubling: a line that comes byte by byte is not copied each time. */
  #grow(): void {
    const size = Math.min(this.#lineBytesMax + 1, Math.max(256, 2 * this.#lineBytes));
    const grown = Buffer.allocUnsafeSlow(size);
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #endLine(): Buffer | LongLine {
    const bytes = this.#lineBytes - (this.#endsWithReturn ? 1 : 0);
    const line = bytes > this.#lineBytesMax ? this.#longLine(bytes) : Buffer.from(this.#held.subarray(0, bytes));
    this.#byteOffset += this.#lineBytes + 1;
    this.#line += 1;
    this.#heldBytes = 0;
    this.#lineBytes = 0;
    this.#isSkipping = false;
    this.#endsWithReturn = false;
    return line;
  }

  #longLine(bytes: number | undefined): LongLine {
    return { line: this.#line, byteOffset: this.#byteOffset, bytes };
  }
}
