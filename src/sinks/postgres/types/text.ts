import type { ByteWriter } from '../byteWriter.ts';
import type { SliceKind } from '../json/jsonKinds.ts';
import { Refusal, shown } from '../refusal.ts';
import { printEscaped } from '../textFormat.ts';
import { type ColumnType, refuseValue } from './columnType.ts';

/**
 * text, varchar, char, and types whose binary form is their text (enumerations, names). Takes strings as their content
 * and every other JSON value as its JSON text, byte for byte; from rows strings, numbers, bigint, booleans and Buffers of UTF-8.
 * More characters than the column has are refused; PostgreSQL would cut trailing spaces without a word.
 */
export class TextType implements ColumnType {
  readonly name: string;
  readonly #charactersMax: number;

  constructor(name: string, charactersMax = Number.POSITIVE_INFINITY) {
    this.name = name;
    this.#charactersMax = charactersMax;
  }

  writeSlice(out: ByteWriter, _kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    out.textField(bytes, start, end);
    if (end - start > this.#charactersMax) this.#checkLength(bytes, start, end);
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'string') {
      writeString(out, value);
      if (value.length > this.#charactersMax) {
        const bytes = Buffer.from(value);
        this.#checkLength(bytes, 0, bytes.length);
      }
    } else if (Buffer.isBuffer(value)) {
      this.writeSlice(out, 0, value, 0, value.length);
    } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
      this.writeValue(out, String(value));
    } else {
      throw refuseValue('text', value);
    }
  }

  printText(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
    printEscaped(out, bytes, start, end);
  }

  /** The bytes are UTF-8: those that do not continue a character begin one. */
  #checkLength(bytes: Buffer, start: number, end: number): void {
    let characters = 0;
    for (let at = start; at < end; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) characters += 1;
    if (characters > this.#charactersMax) {
      throw new Refusal(`has ${characters} characters, more than ${this.name} holds`);
    }
  }
}

/** Strings up to this length are written by a loop when they are ASCII. */
const asciiLoopLengthMax = 48;

/** Length and UTF-8 of a string; answers the number of bytes. Throws Refusal for NUL and for half a surrogate pair, which UTF-8 cannot express. */
export function writeString(out: ByteWriter, value: string): number {
  const { length } = value;
  // Three bytes for each UTF-16 unit at most; exactly, where that would be a lot.
  out.ensure(4 + (length > 4096 ? Buffer.byteLength(value) : length * 3));
  const start = out.position + 4;
  let written = 0;
  if (length <= asciiLoopLengthMax) {
    for (; written < length; written++) {
      const unit = value.charCodeAt(written);
      if (unit === 0 || unit > 0x7f) break;
      out.bytes[start + written] = unit;
    }
  }
  if (written < length || length > asciiLoopLengthMax) {
    const nul = value.indexOf('\0');
    if (nul >= 0) throw new Refusal(`has a NUL at character ${nul}, which PostgreSQL cannot store in text`);
    if (!isWellFormed(value)) throw new Refusal(`has half of a surrogate pair: ${shown(value)}`);
    written = out.bytes.write(value, start, 'utf8');
  }
  out.int32(written);
  out.position += written;
  return written;
}

function isWellFormed(value: string): boolean {
  // In every Node this package supports, not yet in the compiler's library.
  return (value as unknown as { isWellFormed(): boolean }).isWellFormed();
}
