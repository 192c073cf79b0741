import type { ByteWriter } from '../byteWriter.ts';
import { kindDecimal, kindInteger, kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal } from '../refusal.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';
import { type Decimal, parseDecimal } from './decimal.ts';

const wanted = 'a number';
/** Digits before and after the decimal point that PostgreSQL's numeric has room for (Table 8.2 of its manual). */
const wholeDigitsMax = 131_072;
const scaleMax = 16_383;
const negativeSign = 0x4000;
const powersOfTen = Array.from({ length: 9 }, (_, exponent) => 10 ** exponent);

/**
 * numeric: JSON numbers and strings that hold one, digit by digit, with the scale they are written in; from rows also
 * bigint. A column's own scale rounds as everywhere in PostgreSQL; more digits before the point than it has are refused.
 */
export class NumericType implements ColumnType {
  readonly name: string;
  /** Digits before the decimal point; Infinity for a plain numeric. */
  readonly #wholeDigitsMax: number;
  /** The first number with more. */
  readonly #wholeUntil: number;

  constructor(name: string, limits: { readonly precision: number; readonly scale: number } | undefined) {
    this.name = name;
    this.#wholeDigitsMax = limits === undefined ? Number.POSITIVE_INFINITY : limits.precision - limits.scale;
    this.#wholeUntil = 10 ** this.#wholeDigitsMax;
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind !== kindInteger && kind !== kindDecimal && kind !== kindString && kind !== kindText) {
      throw refuseSlice(wanted, kind, bytes, start, end);
    }
    if (this.#writePlain(out, bytes, start, end)) return;
    const decimal = parseDecimal(bytes.toString('latin1', start, end));
    if (decimal === undefined) throw refuseSlice(wanted, kind, bytes, start, end);
    this.#write(out, decimal);
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value !== 'string' && typeof value !== 'bigint' && typeof value !== 'number') {
      throw refuseValue(wanted, value);
    }
    const decimal = parseDecimal(String(value));
    if (decimal === undefined) throw refuseValue(wanted, value);
    this.#write(out, decimal);
  }

  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    printAscii(out, numericText(bytes, start));
  }

  /** At most eight digits before the point and eight after, no exponent: written without a string. */
  #writePlain(out: ByteWriter, bytes: Buffer, start: number, end: number): boolean {
    const negative = bytes[start] === 0x2d;
    let at = negative ? start + 1 : start;
    if (at >= end || (bytes[at] === 0x30 && at + 1 < end && bytes[at + 1] !== 0x2e)) return false;
    const wholeStart = at;
    let whole = 0;
    for (; at < end && bytes[at] !== 0x2e; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      whole = whole * 10 + digit;
    }
    const wholeDigits = at - wholeStart;
    const scale = at < end ? end - at - 1 : 0;
    if (wholeDigits === 0 || wholeDigits > 8 || scale > 8 || (at < end && scale === 0)) return false;
    if (wholeDigits > this.#wholeDigitsMax && whole >= this.#wholeUntil) return false;
    let fraction = 0;
    for (at += 1; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) return false;
      fraction = fraction * 10 + digit;
    }
    fraction *= powersOfTen[8 - scale] as number;
    out.ensure(20);
    out.int32(16);
    // Two int16 at a time: four groups of digits, the first two of weight 1 and 0; sign and scale; the groups.
    out.int32(0x0004_0001);
    out.int32(negative && whole + fraction !== 0 ? (negativeSign << 16) | scale : scale);
    out.int32(groupPair(whole));
    out.int32(groupPair(fraction));
    return true;
  }

  /** Digits in groups of four around the decimal point (numeric_recv); groups of zeros at the ends are left to the server. */
  #write(out: ByteWriter, decimal: Decimal): void {
    const { digits, negative } = decimal;
    const isZero = digits === '0';
    const wholeDigits = isZero ? 0 : digits.length - decimal.scale;
    const scale = Math.max(0, decimal.scale);
    if (wholeDigits > Math.min(wholeDigitsMax, this.#wholeDigitsMax) || scale > scaleMax) {
      throw new Refusal(`is out of the range of ${this.name}: ${textOf(decimal)}`);
    }
    let groups: string;
    let weight = -1;
    if (isZero) {
      groups = '';
    } else if (wholeDigits > 0) {
      groups = digits.padEnd(wholeDigits, '0');
      const front = (4 - (wholeDigits % 4)) % 4;
      groups = '0'.repeat(front) + groups;
      weight = (wholeDigits + front) / 4 - 1;
    } else {
      // 0.00012: whole groups of zeros behind the point only lower the weight.
      const skipped = Math.floor(-wholeDigits / 4);
      groups = '0'.repeat(-wholeDigits - skipped * 4) + digits;
      weight = -1 - skipped;
    }
    const count = Math.ceil(groups.length / 4);
    groups = groups.padEnd(count * 4, '0');
    out.ensure(12 + count * 2);
    out.int32(8 + count * 2);
    out.int16(count);
    out.int16(weight);
    out.int16(negative && !isZero ? negativeSign : 0);
    out.int16(scale);
    for (let index = 0; index < count; index++) out.int16(Number(groups.slice(index * 4, index * 4 + 4)));
  }
}

/** Eight digits as two groups of four. */
function groupPair(digits: number): number {
  const high = Math.floor(digits / 10_000);
  return (high << 16) | (digits - high * 10_000);
}

function textOf({ negative, digits, scale }: Decimal): string {
  const text = `${negative ? '-' : ''}${digits.slice(0, 40)}${digits.length > 40 ? '…' : ''}`;
  return scale === 0 ? text : `${text}e${-scale}`;
}

/** The decimal text of a binary numeric. */
function numericText(bytes: Buffer, start: number): string {
  const count = bytes.readInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const scale = bytes.readInt16BE(start + 6);
  const group = (index: number) =>
    index < 0 || index >= count ? '0000' : String(bytes.readInt16BE(start + 8 + index * 2)).padStart(4, '0');
  let whole = '';
  for (let index = 0; index <= weight; index++) whole += group(index);
  let fraction = '';
  for (let index = weight + 1; fraction.length < scale; index++) fraction += group(index);
  const sign = bytes.readUInt16BE(start + 4) === negativeSign ? '-' : '';
  const point = scale > 0 ? `.${fraction.slice(0, scale)}` : '';
  return `${sign}${whole.replace(/^0+(?=\d)/, '') || '0'}${point}`;
}
