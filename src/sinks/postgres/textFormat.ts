import type { ByteWriter } from './byteWriter.ts';

/** Text COPY: fields between tabs, rows between newlines, `\N` for null, backslash escapes (PostgreSQL's manual, COPY). */
export const fieldSeparator = 0x09;
export const rowSeparator = 0x0a;
const backslash = 0x5c;

/** For text without tabs, newlines and backslashes, or with these already escaped. */
export function printAscii(out: ByteWriter, text: string): void {
  out.ensure(text.length);
  out.position += out.bytes.write(text, out.position, 'latin1');
}

export function printEscaped(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  out.ensure((end - start) * 2);
  const into = out.bytes;
  let to = out.position;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === backslash || byte === rowSeparator || byte === 0x0d || byte === fieldSeparator) {
      into[to++] = backslash;
      into[to++] = byte === backslash ? backslash : byte === 0x0d ? 0x72 : byte === rowSeparator ? 0x6e : 0x74;
    } else {
      into[to++] = byte;
    }
  }
  out.position = to;
}

export function printNull(out: ByteWriter): void {
  printAscii(out, '\\N');
}
