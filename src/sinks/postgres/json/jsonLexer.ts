/** Not JSON. `at` counts bytes from the start of the document. */
export class JsonSyntaxError extends Error {
  readonly at: number;

  constructor(reason: string, at: number) {
    super(`${reason} at byte ${at}`);
    this.at = at;
  }
}

export const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const plus = 0x2b;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;

/**
 * The words of JSON in bytes: strings, numbers, spaces. Kept apart from the scanner only because a file should have one
 * subject. Every method takes the position of the first byte to read; those that pass over something answer the one after
 * its last. All throw JsonSyntaxError.
 */
export class JsonLexer {
  /** The document has an escape for NUL or for half a surrogate pair: valid JSON that jsonb and text cannot hold. */
  hasUnstorableEscape = false;
  protected bytes: Buffer = Buffer.alloc(0);
  protected start = 0;
  protected end = 0;
  /** Of the string read last. */
  protected escaped = false;
  /** All bytes of strings or-ed together: 0x80 set when any is not ASCII. */
  protected union = 0;
  /** Of the number read last. */
  protected isDecimal = false;
  #view: DataView = new DataView(new ArrayBuffer(0));

  protected open(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.start = start;
    this.end = end;
    this.union = 0;
    this.hasUnstorableEscape = false;
  }

  /** From behind the opening quote; answers the position of the closing one. */
  protected string(start: number): number {
    const bytes = this.bytes;
    const end = this.end;
    this.escaped = false;
    let at = this.#plainPart(start);
    let union = 0;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) {
        this.union |= union;
        return at;
      }
      if (byte === backslash) {
        this.escaped = true;
        at = this.#escape(at + 1);
      } else if (byte < 0x20) {
        throw this.unexpected(at);
      }
      union |= byte;
    }
    throw this.unexpected(end);
  }

  /** Passes over bytes that are nothing but themselves, four at a time, and stops at or before the first that is not. */
  #plainPart(start: number): number {
    const view = this.#view;
    let at = start;
    for (const lastWord = this.end - 4; at <= lastWord; at += 4) {
      const word = view.getInt32(at, true);
      const quotes = (word ^ 0x22222222) - 0x01010101;
      const backslashes = (word ^ 0x5c5c5c5c) - 0x01010101;
      // In a byte from 1 on the subtractions leave the high bit as it was; a borrow only stops us early.
      if (((word | (word - 0x20202020) | quotes | backslashes) & 0x80808080) !== 0) break;
    }
    return at;
  }

  /** From behind the backslash; answers the position of the escape's last byte. */
  #escape(at: number): number {
    switch (this.byte(at)) {
      case quote:
      case backslash:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return at;
      case 0x75: // u
        return this.#unicodeEscape(at + 1);
      default:
        throw this.unexpected(at);
    }
  }

  #unicodeEscape(at: number): number {
    const unit = this.#hex(at);
    const last = at + 3;
    if (unit === 0) this.hasUnstorableEscape = true;
    if (unit < 0xd800 || unit > 0xdfff) return last;
    if (unit < 0xdc00 && this.byte(last + 1) === backslash && this.byte(last + 2) === 0x75) {
      const low = this.#hex(last + 3);
      if (low >= 0xdc00 && low <= 0xdfff) return last + 6;
    }
    // Half a pair; what follows is read as an escape of its own.
    this.hasUnstorableEscape = true;
    return last;
  }

  #hex(at: number): number {
    let unit = 0;
    for (let index = at; index < at + 4; index++) {
      const byte = this.byte(index);
      const lower = byte | 0x20;
      if (byte >= zero && byte <= nine) unit = unit * 16 + byte - zero;
      else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
      else throw this.unexpected(index);
    }
    return unit;
  }

  /** Leaves in `isDecimal` whether it has a fraction or an exponent. */
  protected number(start: number): number {
    const digitsStart = this.byte(start) === minus ? start + 1 : start;
    this.isDecimal = false;
    let at = this.#digits(digitsStart);
    if (this.bytes[digitsStart] === zero && at > digitsStart + 1) throw this.unexpected(digitsStart + 1);
    if (this.byte(at) === dot) {
      this.isDecimal = true;
      at = this.#digits(at + 1);
    }
    if ((this.byte(at) | 0x20) === 0x65) {
      this.isDecimal = true;
      const sign = this.byte(at + 1);
      at = this.#digits(sign === plus || sign === minus ? at + 2 : at + 1);
    }
    return at;
  }

  /** At least one digit. */
  #digits(start: number): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte < zero || byte > nine) break;
    }
    if (at === start) throw this.unexpected(at);
    return at;
  }

  protected space(start: number): number {
    const bytes = this.bytes;
    const end = this.end;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    }
    return at;
  }

  /** -1 at the end. */
  protected byte(at: number): number {
    return at < this.end ? (this.bytes[at] as number) : -1;
  }

  protected unexpected(at: number): JsonSyntaxError {
    if (at >= this.end) return new JsonSyntaxError('unexpected end', this.end - this.start);
    const byte = this.bytes[at] as number;
    const shown = byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16)}`;
    return new JsonSyntaxError(`unexpected ${shown}`, at - this.start);
  }
}
