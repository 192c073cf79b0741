import type { ByteWriter } from '../byteWriter.ts';
import { kindDecimal, kindInteger, kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal, shown } from '../refusal.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';
import { parseDecimal, wholeNumberOf } from './decimal.ts';

const wanted = 'a whole number';
/** So many digits are exact in a JS number. */
const exactDigits = 15;
/** No integer type has more. */
const digitsMax = 19;

/**
 * smallint, integer, bigint. Takes JSON numbers that are whole (also 1.0 and 1e3) and strings that hold one, read from
 * the digits, so that 9007199254740993 arrives as that; from rows also bigint.
 */
export class IntegerType implements ColumnType {
  readonly name: string;
  readonly #bytes: 2 | 4 | 8;
  readonly #min: bigint;
  readonly #max: bigint;
  /** The same bounds as numbers, where these are exact. */
  readonly #plainMin: number;
  readonly #plainMax: number;

  constructor(name: string, bytes: 2 | 4 | 8) {
    this.name = name;
    this.#bytes = bytes;
    this.#max = 2n ** BigInt(8 * bytes - 1) - 1n;
    this.#min = -this.#max - 1n;
    this.#plainMin = Math.max(Number(this.#min), Number.MIN_SAFE_INTEGER);
    this.#plainMax = Math.min(Number(this.#max), Number.MAX_SAFE_INTEGER);
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind !== kindInteger && kind !== kindString && kind !== kindText && kind !== kindDecimal) {
      throw refuseSlice(wanted, kind, bytes, start, end);
    }
    const plain = plainInteger(bytes, start, end);
    if (plain >= this.#plainMin && plain <= this.#plainMax) {
      this.#write(out, plain);
      return;
    }
    const decimal = end - start > 400 ? undefined : parseDecimal(bytes.toString('latin1', start, end));
    if (decimal === undefined) throw refuseSlice(wanted, kind, bytes, start, end);
    const whole = wholeNumberOf(decimal, digitsMax);
    if (whole === 'fraction') throw refuseSlice(wanted, kind, bytes, start, end);
    if (whole === 'too large') throw this.#outOfRange(bytes.toString('latin1', start, end));
    this.#writeBig(out, whole);
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'bigint') {
      this.#writeBig(out, value);
    } else if (typeof value === 'number') {
      if (!Number.isInteger(value)) throw refuseValue(wanted, value);
      if (!Number.isSafeInteger(value)) {
        throw new Refusal(`is ${value}, beyond what a JS number holds exactly: give a bigint`);
      }
      if (value < this.#plainMin || value > this.#plainMax) throw this.#outOfRange(String(value));
      this.#write(out, value);
    } else if (typeof value === 'string') {
      const bytes = Buffer.from(value);
      this.writeSlice(out, kindString, bytes, 0, bytes.length);
    } else {
      throw refuseValue(wanted, value);
    }
  }

  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    if (this.#bytes === 8) printAscii(out, String(bytes.readBigInt64BE(start)));
    else printAscii(out, String(bytes.readIntBE(start, this.#bytes)));
  }

  /** The bounds were checked. */
  #write(out: ByteWriter, value: number): void {
    out.ensure(12);
    out.int32(this.#bytes);
    if (this.#bytes === 8) out.int64(value);
    else if (this.#bytes === 4) out.int32(value);
    else out.int16(value);
  }

  #writeBig(out: ByteWriter, value: bigint): void {
    if (value < this.#min || value > this.#max) throw this.#outOfRange(String(value));
    if (this.#bytes !== 8) {
      this.#write(out, Number(value));
      return;
    }
    out.ensure(12);
    out.int32(8);
    out.bigInt64(value);
  }

  #outOfRange(value: string): Refusal {
    return new Refusal(`is out of the range of ${this.name}: ${shown(value).replaceAll('"', '')}`);
  }
}

/** Digits without leading zeros, few enough to be exact, with a minus perhaps; NaN: look closer. */
function plainInteger(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  let at = negative ? start + 1 : start;
  const length = end - at;
  if (length <= 0 || length > exactDigits) return Number.NaN;
  if (bytes[at] === 0x30 && length > 1) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}
