import { mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The file system as a log sees it: what is durable after which call. A port, because tests bring a disk that forgets
 * what was not synced.
 *
 * Everything rejects with the system's own error, errno in `code`. A call that fails may have been done in part.
 */
export interface DurableFiles {
  /** With its parents where they are missing; what was made is durable. */
  makeDirectory(path: string): Promise<void>;
  /** Names in the directory, in no order. */
  list(path: string): Promise<readonly string[]>;
  /** `create` fails where the file is there, the others where it is not. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DurableFile>;
  /** At once, over a file that is there. Durable after `syncDirectory`, as is every other change of names. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

export interface DurableFile {
  size(): Promise<number>;
  /** Answers how many bytes were read: fewer than asked for only at the end of the file. */
  read(into: Uint8Array, byteOffset: number): Promise<number>;
  /** Writes all of the parts, one behind the other, from `byteOffset` on. */
  write(parts: readonly Uint8Array[], byteOffset: number): Promise<void>;
  truncate(bytes: number): Promise<void>;
  /** Resolves when everything written, and the size, is durable. After a failure nobody knows what is. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

const flags = { read: 'r', write: 'r+', create: 'wx+' } as const;

export const nodeFiles: DurableFiles = {
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
  },
  list: (path) => readdir(path),
  open: async (path, mode) => new NodeFile(await open(path, flags[mode])),
  rename,
  remove: unlink,
  syncDirectory,
};

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

class NodeFile implements DurableFile {
  readonly #handle: Awaited<ReturnType<typeof open>>;

  constructor(handle: Awaited<ReturnType<typeof open>>) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(into: Uint8Array, byteOffset: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, byteOffset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(parts: readonly Uint8Array[], byteOffset: number): Promise<void> {
    let left = parts;
    let position = byteOffset;
    while (left.length > 0) {
      const { bytesWritten } = await this.#handle.writev(left, position);
      position += bytesWritten;
      // Fewer than all: the disk is nearly full, and the next call says so.
      left = behind(left, bytesWritten);
    }
  }

  truncate(bytes: number): Promise<void> {
    return this.#handle.truncate(bytes);
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The parts without their first `bytes`. */
function behind(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  for (const [at, part] of parts.entries()) {
    if (skip < part.length) return [part.subarray(skip), ...parts.slice(at + 1)];
    skip -= part.length;
  }
  return [];
}
