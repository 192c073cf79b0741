import { join } from 'node:path';
import { isTidemarkError } from '../errors.ts';
import { type DurableFiles, Turns } from '../platform/index.ts';
import { type EntryPlace, fileError, type WriteAheadLog } from '../wal/index.ts';

const name = 'reserve';
const reserveBytes = 65_536;

/**
 * Room on the disk that blocks never get: a file beside the log. The order of events without it: blocks fill the disk to the last
 * byte; none of them can be committed, because their batch has to be logged first; nothing is committed, so nothing is deleted.
 * With it, what the log has to say about blocks takes the room of the file, and no block is added until the file is back.
 */
export class Reserve {
  readonly #files: DurableFiles;
  readonly #path: string;
  readonly #dir: string;
  #isHeld = false;
  readonly #turns = new Turns();

  constructor(files: DurableFiles, dir: string) {
    this.#files = files;
    this.#dir = dir;
    this.#path = join(dir, name);
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Makes the file where it is missing. Rejects with WAL_FULL or WAL_WRITE_FAILED. */
  hold(): Promise<void> {
    return this.#turns.take(async () => {
      if (this.#isHeld) return;
      try {
        await this.#make();
      } catch (error) {
        throw fileError('WAL_WRITE_FAILED', this.#path, error);
      }
      this.#isHeld = true;
    });
  }

  /** Gives its room to what needs it now; false when it was given before. */
  giveUp(): Promise<boolean> {
    return this.#turns.take(async () => {
      if (!this.#isHeld) return false;
      await this.#files.remove(this.#path);
      this.#isHeld = false;
      return true;
    });
  }

  async #make(): Promise<void> {
    const isThere = (await this.#files.list(this.#dir)).includes(name);
    const file = await this.#files.open(this.#path, isThere ? 'write' : 'create');
    try {
      // One that a crash has left may be cut short.
      if ((await file.size()) === reserveBytes) return;
      await file.write([Buffer.alloc(reserveBytes)], 0);
      await file.sync();
    } catch (error) {
      await this.#files.remove(this.#path);
      throw error;
    } finally {
      await file.close();
    }
  }
}

/** Appends what the log says about blocks; where they have filled the disk, in the room of the reserve. */
export async function appendAbout(
  log: WriteAheadLog,
  entry: Buffer,
  reserve: Reserve | undefined,
): Promise<EntryPlace> {
  try {
    return await log.append(entry);
  } catch (error) {
    if (!isTidemarkError(error, 'WAL_FULL') || !(await reserve?.giveUp())) throw error;
    return await log.append(entry);
  }
}
