import type { ByteWriter } from '../byteWriter.ts';
import { kindArray, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal, shown } from '../refusal.ts';
import { printEscaped } from '../textFormat.ts';
import { arrayLiteral } from './array.ts';
import type { ColumnType } from './columnType.ts';
import { jsonText } from './json.ts';
import { writeString } from './text.ts';

/**
 * A type whose binary form we do not write: the table is copied as text, and the server reads the value as it would a
 * literal. Strings go as they are, arrays into an array type as its literal, every other value as its JSON text.
 */
export class ForeignType implements ColumnType {
  readonly name: string;
  readonly #isArray: boolean;

  constructor(name: string, isArray: boolean) {
    this.name = name;
    this.#isArray = isArray;
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind === kindArray && this.#isArray) this.writeValue(out, JSON.parse(bytes.toString('utf8', start, end)));
    else out.textField(bytes, start, end);
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'string') writeString(out, value);
    else if (Array.isArray(value) && this.#isArray) writeString(out, arrayLiteral(value));
    else if (value instanceof Date && !Number.isNaN(value.getTime())) writeString(out, value.toISOString());
    else if (typeof value === 'bigint' || typeof value === 'number') writeString(out, String(value));
    else if (typeof value === 'boolean') writeString(out, String(value));
    else if (typeof value === 'object' && !Buffer.isBuffer(value)) writeString(out, jsonText(value));
    else throw new Refusal(`is not a value for ${this.name}: ${shown(value)}`);
  }

  printText(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
    printEscaped(out, bytes, start, end);
  }
}
