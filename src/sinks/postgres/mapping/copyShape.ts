import type { RecordCursor } from '../../../model/index.ts';
import type { Row } from '../../sink.ts';
import { ByteWriter } from '../byteWriter.ts';
import { Refusal } from '../refusal.ts';
import { fieldSeparator, printNull, rowSeparator } from '../textFormat.ts';
import type { ColumnType } from '../types/columnType.ts';
import type { FieldWriter } from './fieldWriters.ts';
import { unstorable } from './recordError.ts';

export type CopyFormat = 'binary' | 'text';

export interface MappedField {
  readonly column: string;
  readonly type: ColumnType;
  readonly write: FieldWriter;
}

/** The columns of one COPY and how a record or row becomes a row of it. */
export interface CopyShape {
  readonly columns: readonly string[];
  readonly format: CopyFormat;
  /** Writes one row. Throws RECORD_UNSTORABLE or RECORD_UNPARSABLE and may leave part of the row behind: rewind. */
  write(out: ByteWriter, cursor: RecordCursor, row: Row): void;
}

/** `table` is for messages. */
export function copyShape(table: string, fields: readonly MappedField[], format: CopyFormat): CopyShape {
  const columns = fields.map((field) => field.column);
  const write = format === 'binary' ? binaryRowWriter(table, fields) : textRowWriter(table, fields);
  return { columns, format, write };
}

function binaryRowWriter(table: string, fields: readonly MappedField[]): CopyShape['write'] {
  const writers = fields.map((field) => field.write);
  const count = writers.length;
  return (out, cursor, row) => {
    let index = 0;
    out.ensure(2);
    out.int16(count);
    try {
      for (; index < count; index++) (writers[index] as FieldWriter)(out, cursor, row);
    } catch (error) {
      throw asRecordError(error, cursor, table, fields[index]);
    }
  };
}

/** Each field is made as for binary COPY, which is where all checks are, and then printed. */
function textRowWriter(table: string, fields: readonly MappedField[]): CopyShape['write'] {
  const scratch = new ByteWriter(Buffer.allocUnsafe(1024));
  return (out, cursor, row) => {
    for (const [index, field] of fields.entries()) {
      scratch.position = 0;
      try {
        field.write(scratch, cursor, row);
      } catch (error) {
        throw asRecordError(error, cursor, table, field);
      }
      out.ensure(1);
      if (index > 0) out.bytes[out.position++] = fieldSeparator;
      const length = scratch.view.getInt32(0);
      if (length < 0) printNull(out);
      else field.type.printText(out, scratch.bytes, 4, 4 + length);
    }
    out.ensure(1);
    out.bytes[out.position++] = rowSeparator;
  };
}

function asRecordError(error: unknown, cursor: RecordCursor, table: string, field: MappedField | undefined): unknown {
  if (!(error instanceof Refusal) || field === undefined) return error;
  return unstorable(cursor, table, field.column, error);
}
