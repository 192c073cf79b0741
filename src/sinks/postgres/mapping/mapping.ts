import type { RecordCursor } from '../../../model/index.ts';
import { nearestName } from '../../../platform/index.ts';
import type { Row } from '../../sink.ts';
import { JsonSyntaxError } from '../json/jsonLexer.ts';
import { type JsonPath, pathTree } from '../json/jsonPath.ts';
import { JsonScanner } from '../json/jsonScanner.ts';
import type { TargetColumn, TargetTable } from '../target.ts';
import type { ColumnType } from '../types/columnType.ts';
import { ForeignType } from '../types/foreign.ts';
import { JsonType } from '../types/json.ts';
import { columnTypeOf } from '../types/registry.ts';
import type { ColumnSource } from './columnSource.ts';
import { type CopyFormat, type CopyShape, copyShape, type MappedField } from './copyShape.ts';
import {
  type FieldWriter,
  type NullWriter,
  nullWriter,
  partWriter,
  rowFieldWriter,
  slotWriter,
  wholeValueWriter,
} from './fieldWriters.ts';
import { invalidRow, unparsable } from './recordError.ts';

export interface MappedColumn {
  readonly column: TargetColumn;
  readonly source: ColumnSource;
}

/**
 * Records and rows to the bytes of COPY; compiled once for a table. `prepare` and the writes of its record follow each
 * other without anything in between: what was read of the value lies in the mapping.
 */
export interface Mapping {
  /** What a record without a transform's row is copied with. */
  readonly shape: CopyShape;
  /** What a row is copied with. Throws TRANSFORM_RESULT_INVALID for a row that has no place in the table. */
  shapeOf(cursor: RecordCursor, row: Row): CopyShape;
  /** Before each `write`: reads its value where columns come out of it. Throws RECORD_UNPARSABLE. */
  prepare(cursor: RecordCursor): void;
}

/** The columns of the options: every row has all of them. */
export function explicitMapping(table: TargetTable, mapped: readonly MappedColumn[]): Mapping {
  const compiled = compile(table, mapped);
  const shape = copyShape(table.name, compiled.fields, compiled.format);
  return {
    shape,
    shapeOf: (cursor, row) => {
      checkRow(cursor, row);
      return shape;
    },
    prepare: compiled.prepare,
  };
}

/**
 * Fields of rows to columns of the same name. A column with a default is copied only where the row has such a field, so
 * that its default stays: rows that differ in those fields need a COPY each. Other columns without a field are null.
 */
export function rowMapping(table: TargetTable): Mapping {
  const columns = table.columns.filter((column) => !column.isGenerated);
  const withDefault = columns.filter((column) => column.hasDefault).map((column) => column.name);
  const mapped = columns.map((column): MappedColumn => ({ column, source: { kind: 'field', name: column.name } }));
  const compiled = compile(table, mapped);
  const always = new Set(columns.filter((column) => !column.hasDefault).map((column) => column.name));
  const known = new Set(columns.map((column) => column.name));
  const shapes = new Map<string, CopyShape>();
  const shapeFor = (names: ReadonlySet<string>): CopyShape => {
    const fields = compiled.fields.filter(({ column }) => names.has(column));
    return copyShape(table.name, fields, compiled.format);
  };
  const shape = shapeFor(always);
  return {
    shape,
    shapeOf: (cursor, row) => {
      checkRow(cursor, row);
      let extra = '';
      for (const name of Object.keys(row)) {
        if (!known.has(name)) throw unknownField(cursor, table, name, known);
      }
      for (const name of withDefault) if (row[name] !== undefined) extra += `${name}\0`;
      if (extra === '' && always.size > 0) return shape;
      let found = shapes.get(extra);
      if (found === undefined) {
        found = shapeFor(new Set([...always, ...extra.split('\0')]));
        shapes.set(extra, found);
      }
      if (found.columns.length === 0) throw invalidRow(cursor, `has no field of ${table.name}`);
      return found;
    },
    prepare: compiled.prepare,
  };
}

function checkRow(cursor: RecordCursor, row: Row): void {
  if (typeof row === 'object' && row !== null && !Array.isArray(row) && !Buffer.isBuffer(row)) return;
  const kind = Array.isArray(row)
    ? 'an array'
    : Buffer.isBuffer(row)
      ? 'a Buffer'
      : row === null
        ? 'null'
        : `a ${typeof row}`;
  throw invalidRow(cursor, `is ${kind} where a row is expected`);
}

function unknownField(cursor: RecordCursor, table: TargetTable, name: string, known: ReadonlySet<string>) {
  const generated = table.columns.find((column) => column.name === name);
  if (generated !== undefined) {
    return invalidRow(cursor, `has the field '${name}', a column of ${table.name} that is always generated`, name);
  }
  const near = nearestName(name, known);
  const guess = near === undefined ? '' : ` (did you mean '${near}'?)`;
  return invalidRow(cursor, `has the field '${name}', which is no column of ${table.name}${guess}`, name);
}

interface Compiled {
  readonly format: CopyFormat;
  readonly fields: readonly MappedField[];
  readonly prepare: (cursor: RecordCursor) => void;
}

/** Sources to writers. All places wanted of the value are found by one scan of it. */
function compile(table: TargetTable, mapped: readonly MappedColumn[]): Compiled {
  const typed = mapped.map(({ column, source }) => ({ column, source, type: columnTypeOf(column.type) }));
  const paths = typed.map(({ source, type }) => pathOf(source, type));
  const wanted = paths.filter((path) => path !== undefined);
  const scanner = new JsonScanner(pathTree(wanted));
  let slots = 0;
  const fields = typed.map(({ column, source, type }, index): MappedField => {
    // A trigger may fill a null before the server checks it.
    const writeNull = nullWriter(!column.isNotNull || table.hasRowTriggers);
    const slot = paths[index] === undefined ? undefined : slots++;
    return { column: column.name, type, write: writerOf(source, type, writeNull, scanner, slot) };
  });
  return {
    format: typed.some(({ type }) => type instanceof ForeignType) ? 'text' : 'binary',
    fields,
    prepare: wanted.length === 0 ? () => {} : (cursor) => scanValue(scanner, cursor),
  };
}

/** Where in the value the source looks, undefined where the value is not read as JSON. */
function pathOf(source: ColumnSource, type: ColumnType): JsonPath | undefined {
  if (source.kind === 'path') return source.path;
  return source.kind === 'part' && source.part === 'value' && type instanceof JsonType ? [] : undefined;
}

function writerOf(
  source: ColumnSource,
  type: ColumnType,
  writeNull: NullWriter,
  scanner: JsonScanner,
  slot: number | undefined,
): FieldWriter {
  if (source.kind === 'field') return rowFieldWriter(source.name, type, writeNull);
  if (source.kind === 'path') return slotWriter(scanner, slot ?? 0, type, writeNull);
  if (slot !== undefined && type instanceof JsonType) return wholeValueWriter(scanner, slot, type, writeNull);
  return partWriter(source.part, type, writeNull);
}

function scanValue(scanner: JsonScanner, cursor: RecordCursor): void {
  if (cursor.valueStart < 0) {
    scanner.clear();
    return;
  }
  try {
    scanner.scan(cursor.buffer, cursor.valueStart, cursor.valueEnd);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw unparsable(cursor, error.message);
    throw error;
  }
}
