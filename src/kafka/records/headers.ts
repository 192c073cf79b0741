import type { RecordHeaders } from '../../model/index.ts';

/** Reads the headers of a record that a cursor has already checked to fit. */
export function readHeaders(bytes: Buffer, start: number, count: number): RecordHeaders {
  const headers: [string, Buffer | null][] = [];
  let at = start;
  /** The lengths are zigzag varints; -1 marks a null value. */
  const length = (): number => {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  };
  for (let index = 0; index < count; index++) {
    const nameBytes = length();
    const name = bytes.toString('utf8', at, at + nameBytes);
    at += nameBytes;
    const valueBytes = length();
    if (valueBytes < 0) {
      headers.push([name, null]);
    } else {
      headers.push([name, bytes.subarray(at, at + valueBytes)]);
      at += valueBytes;
    }
  }
  return headers;
}
