import type { ByteWriter } from '../byteWriter.ts';
import { kindArray, type SliceKind } from '../json/jsonKinds.ts';
import { Refusal, shown } from '../refusal.ts';
import { printEscaped } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';
import { jsonText } from './json.ts';
import { writeString } from './text.ts';

const wanted = 'an array of strings';

/** text[]: JSON arrays, or arrays of rows, of strings and nulls. */
export class TextArrayType implements ColumnType {
  readonly name: string;
  readonly #elementOid: number;

  constructor(name: string, elementOid: number) {
    this.name = name;
    this.#elementOid = elementOid;
  }

  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind !== kindArray) throw refuseSlice(wanted, kind, bytes, start, end);
    this.writeValue(out, JSON.parse(bytes.toString('utf8', start, end)));
  }

  writeValue(out: ByteWriter, value: unknown): void {
    if (!Array.isArray(value)) throw refuseValue(wanted, value);
    out.ensure(24);
    const lengthAt = out.position;
    out.position += 4;
    out.int32(value.length === 0 ? 0 : 1);
    out.int32(value.includes(null) ? 1 : 0);
    out.int32(this.#elementOid);
    if (value.length > 0) {
      out.int32(value.length);
      out.int32(1);
    }
    // Positions move when the writer changes its buffer; distances stay.
    let length = out.position - lengthAt - 4;
    for (const element of value) {
      if (element === null) {
        out.nullField();
        length += 4;
      } else if (typeof element === 'string') {
        length += 4 + writeString(out, element);
      } else {
        throw new Refusal(`is not ${wanted}: it holds ${shown(element)}`);
      }
    }
    out.view.setInt32(out.position - length - 4, length);
  }

  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    const elements: (string | null)[] = [];
    const isEmpty = bytes.readInt32BE(start) === 0;
    const count = isEmpty ? 0 : bytes.readInt32BE(start + 12);
    let at = start + 20;
    for (let index = 0; index < count; index++) {
      const length = Math.max(0, bytes.readInt32BE(at));
      elements.push(bytes.readInt32BE(at) < 0 ? null : bytes.toString('utf8', at + 4, at + 4 + length));
      at += 4 + length;
    }
    const literal = Buffer.from(arrayLiteral(elements));
    printEscaped(out, literal, 0, literal.length);
  }
}

/** PostgreSQL's text form of an array: scalars in quotes, nested arrays in braces. */
export function arrayLiteral(elements: readonly unknown[]): string {
  const parts = elements.map((element) => {
    if (element === null || element === undefined) return 'NULL';
    if (Array.isArray(element)) return arrayLiteral(element);
    const text = typeof element === 'object' ? jsonText(element) : String(element);
    return `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${parts.join(',')}}`;
}
