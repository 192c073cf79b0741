import { readFile } from 'node:fs/promises';

/** The bytes of a file a user named. Rejects with Node's own error, which carries the errno as `code`. */
export function readFileBytes(path: string): Promise<Buffer> {
  return readFile(path);
}
