import { isUtf8 } from 'node:buffer';
import type { RecordCursor, RecordHeaders } from '../../../model/index.ts';
import type { Row } from '../../sink.ts';
import type { ByteWriter } from '../byteWriter.ts';
import { kindEscapedString, kindMissing, kindNull, kindString, kindText } from '../json/jsonKinds.ts';
import type { JsonScanner } from '../json/jsonScanner.ts';
import { Refusal } from '../refusal.ts';
import type { ColumnType } from '../types/columnType.ts';
import { IntegerType } from '../types/integer.ts';
import { JsonType } from '../types/json.ts';
import { TimestampType } from '../types/temporal.ts';
import type { RecordPart } from './columnSource.ts';

/** Writes one field of the cursor's present record; throws Refusal. */
export type FieldWriter = (out: ByteWriter, cursor: RecordCursor, row: Row) => void;

/** How a null is written: a column that cannot hold one refuses here and not at the end of the transaction. */
export type NullWriter = (out: ByteWriter) => void;

export function nullWriter(isNullable: boolean): NullWriter {
  if (isNullable) return (out) => out.nullField();
  return () => {
    throw new Refusal('is null, and the column is NOT NULL');
  };
}

/** A part of the record that is no JSON. */
export function partWriter(part: RecordPart, type: ColumnType, writeNull: NullWriter): FieldWriter {
  switch (part) {
    case 'key':
      return (out, { buffer, keyStart, keyEnd }) => {
        if (keyStart < 0) writeNull(out);
        else type.writeSlice(out, kindText, buffer, keyStart, keyEnd);
      };
    case 'value':
      return (out, { buffer, valueStart, valueEnd }) => {
        if (valueStart < 0) writeNull(out);
        else type.writeSlice(out, kindText, buffer, valueStart, valueEnd);
      };
    case 'topic':
      return (out, cursor) => type.writeValue(out, cursor.topic);
    case 'partition':
      return (out, cursor) => type.writeValue(out, cursor.partition);
    case 'offset':
      return type instanceof IntegerType ? bigintOffset() : (out, cursor) => type.writeValue(out, cursor.offset);
    case 'timestamp':
      return timestampWriter(type, writeNull);
    case 'headers':
      return (out, cursor) => type.writeValue(out, headersOf(cursor.headers(), type));
  }
}

/** The base is taken apart once for a record batch. */
function bigintOffset(): FieldWriter {
  let baseOffset = -1n;
  let base = Number.NaN;
  return (out, cursor) => {
    if (cursor.baseOffset !== baseOffset) {
      baseOffset = cursor.baseOffset;
      base = Number(baseOffset);
    }
    const offset = base + cursor.offsetDelta;
    out.ensure(12);
    out.int32(8);
    if (Number.isSafeInteger(offset)) out.int64(offset);
    else out.bigInt64(cursor.offset);
  };
}

/** -1 is Kafka's word for "none". */
function timestampWriter(type: ColumnType, writeNull: NullWriter): FieldWriter {
  if (type instanceof TimestampType) {
    return (out, { timestamp }) => {
      if (timestamp === -1) writeNull(out);
      else type.writeMs(out, timestamp);
    };
  }
  return (out, { timestamp }) => {
    if (timestamp === -1) writeNull(out);
    else type.writeValue(out, timestamp);
  };
}

/** Order and repeated names are kept; a value that is not UTF-8, or has a NUL, is given as base64 in place of `value`. */
function headersOf(headers: RecordHeaders, type: ColumnType): unknown {
  const list = headers.map(([name, value]) => {
    if (value === null) return { name, value: null };
    if (!isUtf8(value) || value.includes(0)) return { name, base64: value.toString('base64') };
    return { name, value: value.toString('utf8') };
  });
  return type instanceof JsonType ? list : JSON.stringify(list);
}

/** What the scanner found in slot `slot`. Missing and null are both null. */
export function slotWriter(scanner: JsonScanner, slot: number, type: ColumnType, writeNull: NullWriter): FieldWriter {
  const { kinds, starts, ends } = scanner;
  if (type instanceof JsonType) {
    return (out, { buffer }) => {
      if (kinds[slot] === kindMissing || kinds[slot] === kindNull) writeNull(out);
      else writeRaw(out, scanner, slot, type, buffer);
    };
  }
  return (out, { buffer }) => {
    const kind = kinds[slot] as number;
    const start = starts[slot] as number;
    const end = ends[slot] as number;
    if (kind === kindMissing || kind === kindNull) writeNull(out);
    else if (kind !== kindEscapedString) type.writeSlice(out, kind, buffer, start, end);
    else type.writeValue(out, JSON.parse(buffer.toString('utf8', start - 1, end + 1)));
  };
}

/** `$value` into jsonb or json: only a tombstone is null, the JSON value null stays one. */
export function wholeValueWriter(
  scanner: JsonScanner,
  slot: number,
  type: JsonType,
  writeNull: NullWriter,
): FieldWriter {
  return (out, { buffer }) => {
    if (scanner.kinds[slot] === kindMissing) writeNull(out);
    else writeRaw(out, scanner, slot, type, buffer);
  };
}

/** The slice as it stands in the document, a string with its quotes. */
function writeRaw(out: ByteWriter, scanner: JsonScanner, slot: number, type: JsonType, bytes: Buffer): void {
  const kind = scanner.kinds[slot];
  const quote = kind === kindString || kind === kindEscapedString ? 1 : 0;
  const start = (scanner.starts[slot] as number) - quote;
  const end = (scanner.ends[slot] as number) + quote;
  type.writeChecked(out, bytes, start, end, scanner.hasUnstorableEscape);
}

/** A field of the transform's row; one that is missing is null. */
export function rowFieldWriter(name: string, type: ColumnType, writeNull: NullWriter): FieldWriter {
  // `row.constructor` is there whether the row has such a field or not.
  const isInherited = name in Object.prototype;
  return (out, _cursor, row) => {
    const value = isInherited && !Object.hasOwn(row, name) ? undefined : row[name];
    if (value === null || value === undefined) writeNull(out);
    else type.writeValue(out, value);
  };
}
