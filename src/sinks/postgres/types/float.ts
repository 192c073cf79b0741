import type { ByteWriter } from '../byteWriter.ts';
import { kindDecimal, kindInteger, kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal } from '../refusal.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';

const wanted = 'a number';
const grammar = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
/** Powers of ten that are exact: with a mantissa of at most 15 digits one division gives the nearest double (Clinger). */
const powersOfTen = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/**
 * real and double precision: JSON numbers and strings that hold one, rounded to the nearest value of the type.
 * What rounds to infinity, or to 0 without being 0, is refused. Rows may hold NaN and ±Infinity.
 */
export class FloatType implements ColumnType {
  readonly name: string;
  readonly #isDouble: boolean;

  constructor(name: string, bytes: 4 | 8) {
    this.name = name;
    this.#isDouble = bytes === 8;
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind !== kindInteger && kind !== kindDecimal && kind !== kindString && kind !== kindText) {
      throw refuseSlice(wanted, kind, bytes, start, end);
    }
    let value = plainDecimal(bytes, start, end);
    if (Number.isNaN(value)) {
      const text = bytes.toString('latin1', start, end);
      if (!grammar.test(text)) throw refuseSlice(wanted, kind, bytes, start, end);
      value = Number(text);
      const isZero = /^-?[0.]+(?:[eE]|$)/.test(text);
      if (!Number.isFinite(value) || (value === 0 && !isZero)) throw this.#outOfRange(text);
    }
    this.#write(out, value);
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'number') {
      this.#write(out, value);
    } else if (typeof value === 'bigint' || typeof value === 'string') {
      const bytes = Buffer.from(String(value));
      this.writeSlice(out, kindString, bytes, 0, bytes.length);
    } else {
      throw refuseValue(wanted, value);
    }
  }

  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    const value = this.#isDouble ? bytes.readDoubleBE(start) : bytes.readFloatBE(start);
    printAscii(out, Object.is(value, -0) ? '-0' : String(value));
  }

  #write(out: ByteWriter, value: number): void {
    out.ensure(12);
    if (this.#isDouble) {
      out.int32(8);
      out.float64(value);
      return;
    }
    const single = Math.fround(value);
    if (single !== value && (single === 0 || (!Number.isFinite(single) && Number.isFinite(value)))) {
      throw this.#outOfRange(String(value));
    }
    out.int32(4);
    out.view.setFloat32(out.position, single);
    out.position += 4;
  }

  #outOfRange(value: string): Refusal {
    return new Refusal(`is out of the range of ${this.name}: ${value.slice(0, 60)}`);
  }
}

/** Digits with at most one dot among them, at most 15 in all; NaN: look closer. */
function plainDecimal(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  let at = negative ? start + 1 : start;
  const length = end - at;
  if (length <= 0 || length > powersOfTen.length) return Number.NaN;
  const first = bytes[at] as number;
  // A second digit after 0, or no digit before or after the dot, is for the grammar to refuse.
  if (first === 0x2e || bytes[end - 1] === 0x2e) return Number.NaN;
  if (first === 0x30 && length > 1 && bytes[at + 1] !== 0x2e) return Number.NaN;
  let mantissa = 0;
  let dotAt = -1;
  for (; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x2e && dotAt < 0) {
      dotAt = at;
      continue;
    }
    if (byte < 0x30 || byte > 0x39) return Number.NaN;
    mantissa = mantissa * 10 + byte - 0x30;
  }
  if (dotAt < 0 && length === powersOfTen.length) return Number.NaN;
  const value = dotAt < 0 ? mantissa : mantissa / (powersOfTen[end - dotAt - 1] as number);
  return negative ? -value : value;
}
