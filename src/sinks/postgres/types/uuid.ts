import type { ByteWriter } from '../byteWriter.ts';
import { kindString, kindText, type SliceKind } from '../json/jsonKinds.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';

const wanted = 'a UUID';
const dash = 0x2d;

/** uuid: 32 hexadecimal digits, with dashes as usual (8-4-4-4-12) or without any; from rows also a Buffer of 16 bytes. */
export const uuidType: ColumnType = {
  name: 'uuid',
  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if ((kind !== kindString && kind !== kindText) || !write(out, bytes, start, end)) {
      throw refuseSlice(wanted, kind, bytes, start, end);
    }
  },
  writeValue(out: ByteWriter, value: unknown): void {
    if (typeof value === 'string') {
      const bytes = Buffer.from(value);
      if (write(out, bytes, 0, bytes.length)) return;
    } else if (Buffer.isBuffer(value) && value.length === 16) {
      out.ensure(20);
      out.int32(16);
      out.copy(value, 0, 16);
      return;
    }
    throw refuseValue(wanted, value);
  },
  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    printAscii(out, bytes.toString('hex', start, start + 16));
  },
};

function write(out: ByteWriter, bytes: Buffer, start: number, end: number): boolean {
  const dashed = end - start === 36;
  if (!dashed && end - start !== 32) return false;
  out.ensure(20);
  out.int32(16);
  const to = out.position;
  let at = start;
  for (let index = 0; index < 16; index++) {
    if (dashed && (index === 4 || index === 6 || index === 8 || index === 10)) {
      if (bytes[at] !== dash) return false;
      at += 1;
    }
    const high = hexDigit(bytes[at] as number);
    const low = hexDigit(bytes[at + 1] as number);
    if ((high | low) < 0) return false;
    out.bytes[to + index] = (high << 4) | low;
    at += 2;
  }
  out.position = to + 16;
  return true;
}

/** Negative for anything else. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
