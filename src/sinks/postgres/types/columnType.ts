import type { ByteWriter } from '../byteWriter.ts';
import {
  kindArray,
  kindDecimal,
  kindFalse,
  kindInteger,
  kindObject,
  kindTrue,
  type SliceKind,
} from '../json/jsonKinds.ts';
import { Refusal, shown, shownBytes } from '../refusal.ts';

/**
 * How values become a field of one PostgreSQL type, in the form of binary COPY: an int32 length, then the bytes.
 * A value that does not fit is a Refusal, never an approximation. A call that throws may leave bytes behind: the caller rewinds.
 */
export interface ColumnType {
  /** As PostgreSQL writes it, for messages. */
  readonly name: string;
  /** From bytes: never kindMissing, kindNull or kindEscapedString. */
  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void;
  /** From a JS value: never null or undefined. */
  writeValue(out: ByteWriter, value: unknown): void;
  /** Writes the bytes of a field as text COPY wants them, escapes included. */
  printText(out: ByteWriter, bytes: Buffer, start: number, end: number): void;
}

const kindNames: ReadonlyMap<SliceKind, string> = new Map([
  [kindFalse, 'false'],
  [kindTrue, 'true'],
  [kindInteger, 'a number'],
  [kindDecimal, 'a number'],
  [kindObject, 'an object'],
  [kindArray, 'an array'],
]);

/** `wanted` says what the type takes, e.g. `a whole number`. */
export function refuseSlice(wanted: string, kind: SliceKind, bytes: Buffer, start: number, end: number): Refusal {
  const name = kindNames.get(kind);
  if (name === undefined) return new Refusal(`is not ${wanted}: ${shownBytes(bytes, start, end)}`);
  const isNumber = kind === kindInteger || kind === kindDecimal;
  return new Refusal(
    `is not ${wanted}: ${isNumber ? bytes.toString('latin1', start, Math.min(end, start + 60)) : name}`,
  );
}

export function refuseValue(wanted: string, value: unknown): Refusal {
  return new Refusal(`is not ${wanted}: ${shown(value)}`);
}
