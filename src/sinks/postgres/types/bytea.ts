import type { ByteWriter } from '../byteWriter.ts';
import { kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';

const wanted = 'base64';
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** bytea: keys and values as they came; strings as base64 (RFC 4648, padded); from rows also Buffers. */
export const byteaType: ColumnType = {
  name: 'bytea',
  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind === kindText) {
      write(out, bytes, start, end);
      return;
    }
    const decoded = kind === kindString ? decode(bytes.toString('latin1', start, end)) : undefined;
    if (decoded === undefined) throw refuseSlice(wanted, kind, bytes, start, end);
    write(out, decoded, 0, decoded.length);
  },
  writeValue(out: ByteWriter, value: unknown): void {
    const bytes = value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length) : undefined;
    const decoded = bytes ?? (typeof value === 'string' ? decode(value) : undefined);
    if (decoded === undefined) throw refuseValue('a Buffer or base64', value);
    write(out, decoded, 0, decoded.length);
  },
  printText(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
    // The backslash of hexadecimal notation is escaped once more for COPY.
    printAscii(out, `\\\\x${bytes.toString('hex', start, end)}`);
  },
};

function decode(text: string): Buffer | undefined {
  return base64.test(text) ? Buffer.from(text, 'base64') : undefined;
}

function write(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  out.ensure(4 + end - start);
  out.int32(end - start);
  out.copy(bytes, start, end);
}
