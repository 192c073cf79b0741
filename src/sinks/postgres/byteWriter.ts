import { isUtf8 } from 'node:buffer';
import { Refusal } from './refusal.ts';

/** Above this many bytes the runtime's own copy is faster than ours. */
const wordCopyBytesMax = 512;

/**
 * Bytes being written, in PostgreSQL's order (big endian). Writes want room: call `ensure` first, for all that follows.
 * The buffer is public because encoders index it; it changes with `ensure`, so do not hold it across one.
 */
export class ByteWriter {
  bytes: Buffer;
  view: DataView;
  position = 0;
  /** The source of the last copy, and its view: a record batch has many values in one buffer. */
  #source: Buffer | undefined;
  #sourceView: DataView | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  /** Makes room for `length` more bytes. */
  ensure(length: number): void {
    if (this.position + length > this.bytes.length) this.grow(length);
  }

  protected grow(length: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.position + length));
    larger.set(this.bytes.subarray(0, this.position));
    this.use(larger);
  }

  /** Lets go of the buffer that was copied from last. */
  protected forgetSource(): void {
    this.#source = undefined;
    this.#sourceView = undefined;
  }

  protected use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  int16(value: number): void {
    this.view.setInt16(this.position, value);
    this.position += 2;
  }

  int32(value: number): void {
    this.view.setInt32(this.position, value);
    this.position += 4;
  }

  /** A whole number a JS number holds exactly. */
  int64(value: number): void {
    const high = Math.floor(value / 4_294_967_296);
    this.view.setInt32(this.position, high);
    this.view.setUint32(this.position + 4, value - high * 4_294_967_296);
    this.position += 8;
  }

  bigInt64(value: bigint): void {
    this.view.setBigInt64(this.position, value);
    this.position += 8;
  }

  float64(value: number): void {
    this.view.setFloat64(this.position, value);
    this.position += 8;
  }

  /** A null field. */
  nullField(): void {
    this.ensure(4);
    this.int32(-1);
  }

  /** Bytes as they are. */
  copy(source: Buffer, start: number, end: number): void {
    this.ensure(end - start);
    this.bytes.set(source.subarray(start, end), this.position);
    this.position += end - start;
  }

  /**
   * A field of bytes that PostgreSQL will take as text: length, then the bytes. Throws Refusal where they are not UTF-8
   * or hold a NUL. Short ones are copied and looked at in one go, four bytes at a time: a third of what calls into the
   * runtime cost.
   */
  textField(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.ensure(length + 4);
    this.view.setInt32(this.position, length);
    this.position += 4;
    if (length > wordCopyBytesMax || this.#copyWords(source, start, end) !== 0) {
      checkText(source, start, end);
      if (length > wordCopyBytesMax) this.bytes.set(source.subarray(start, end), this.position);
    }
    this.position += length;
  }

  /** Copies; answers 0 when every byte is in 0x01..0x7f, anything else when that is not certain. */
  #copyWords(source: Buffer, start: number, end: number): number {
    const from = this.#viewOfSource(source);
    const into = this.view;
    let suspect = 0;
    let at = start;
    let to = this.position;
    for (const lastWord = end - 7; at < lastWord; at += 8, to += 8) {
      const first = from.getInt32(at, true);
      const second = from.getInt32(at + 4, true);
      into.setInt32(to, first, true);
      into.setInt32(to + 4, second, true);
      // A byte of 0 borrows and shows as 0xff; bytes from 0x80 on show as they are.
      suspect |= first | (first - 0x01010101) | second | (second - 0x01010101);
    }
    for (; at < end; at++, to++) {
      const byte = from.getUint8(at);
      into.setUint8(to, byte);
      suspect |= byte | (byte - 1);
    }
    return suspect & 0x80808080;
  }

  #viewOfSource(source: Buffer): DataView {
    if (source !== this.#source || this.#sourceView === undefined) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    return this.#sourceView;
  }
}

/** Throws Refusal unless the bytes are UTF-8 without NUL. */
function checkText(source: Buffer, start: number, end: number): void {
  const text = source.subarray(start, end);
  if (!isUtf8(text)) throw new Refusal('is not UTF-8');
  const nul = text.indexOf(0);
  if (nul >= 0) throw new Refusal(`has a NUL at byte ${nul}, which PostgreSQL cannot store in text`);
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
