import type { ByteWriter } from '../byteWriter.ts';
import { kindFalse, kindString, kindText, kindTrue, type SliceKind } from '../json/jsonKinds.ts';
import { printAscii } from '../textFormat.ts';
import { type ColumnType, refuseSlice, refuseValue } from './columnType.ts';

const wanted = 'true or false';

/** boolean: true and false, and the strings of these words. Not 0 and 1. */
export const booleanType: ColumnType = {
  name: 'boolean',
  writeSlice(out: ByteWriter, kind: SliceKind, bytes: Buffer, start: number, end: number): void {
    if (kind === kindTrue || kind === kindFalse) {
      write(out, kind === kindTrue);
      return;
    }
    const word =
      (kind === kindString || kind === kindText) && end - start <= 5 ? bytes.toString('latin1', start, end) : '';
    if (word === 'true' || word === 'false') {
      write(out, word === 'true');
      return;
    }
    throw refuseSlice(wanted, kind, bytes, start, end);
  },
  writeValue(out: ByteWriter, value: unknown): void {
    if (value === true || value === 'true') write(out, true);
    else if (value === false || value === 'false') write(out, false);
    else throw refuseValue(wanted, value);
  },
  printText(out: ByteWriter, bytes: Buffer, start: number): void {
    printAscii(out, bytes[start] === 1 ? 't' : 'f');
  },
};

function write(out: ByteWriter, value: boolean): void {
  out.ensure(5);
  out.int32(1);
  out.bytes[out.position++] = value ? 1 : 0;
}
