import { createReadStream } from 'node:fs';
import { messageOf } from '../errors.ts';
import { usageError } from './usage.ts';

/** Positions of a million partitions fit; a log that was taken for an export does not. */
const inputBytesMax = 64 * 1_048_576;

/** The text of a file, `-` = standard input. Throws USAGE_INVALID where it cannot be read, is too large, or is no text. */
export async function readInput(
  flag: string,
  file: string,
  stdin: AsyncIterable<Uint8Array> = process.stdin,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of file === '-' ? stdin : createReadStream(file)) {
      bytes += part.length;
      if (bytes > inputBytesMax) break;
      parts.push(part);
    }
  } catch (error) {
    throw usageError(flag, `cannot be read (${file}): ${messageOf(error)}`);
  }
  if (bytes > inputBytesMax) throw usageError(flag, `too large (${file})`, `allowed: ${inputBytesMax} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
  } catch {
    throw usageError(flag, `is no text (${file})`, 'allowed: UTF-8');
  }
}
