import { join } from 'node:path';
import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import {
  acquireLock,
  type Clock,
  type DurableFiles,
  errnoOf,
  type HeldLock,
  isNoRoom,
  type LockProcesses,
  makeFile,
  nodeFiles,
  systemClock,
  systemProcesses,
  temporarySuffix,
} from '../../../platform/index.ts';
import { type Book, emptyBook, UnfencedStore } from '../unfenced/index.ts';
import { fileNameOf } from './fileNames.ts';
import { decodeBook, encodeBook } from './format.ts';

export interface FileStoreOptions {
  /** Directory of the files; made, with its parents, when the store is opened to be used. */
  readonly dir: string;
  readonly pipeline: string;
  readonly clock?: Clock;
  readonly files?: DurableFiles;
  readonly processes?: LockProcesses;
}

/**
 * Positions of a pipeline in one JSON file, for a single process: whoever opens it to use it has it locked until `close`.
 * Every change replaces the whole file at once and is durable when it is answered.
 */
export class FileStore extends UnfencedStore {
  readonly #dir: string;
  readonly #pipeline: string;
  readonly #name: string;
  readonly #files: DurableFiles;
  readonly #processes: LockProcesses;
  /** What the file holds; undefined when it is read afresh for every call, because another process may write it. */
  #book: Book | undefined;
  #state: 'new' | 'look' | 'use' | 'closed' = 'new';
  /** A write that failed half-way: nobody knows what is on the disk. */
  #ended: TidemarkError | undefined;
  #release: () => Promise<void> = async () => {};
  #opening: Promise<unknown> = Promise.resolve();

  constructor(options: FileStoreOptions) {
    const place = { load: () => this.#load(), save: (after: Book) => this.#save(after) };
    super('file store', place, options.clock ?? systemClock);
    this.#dir = options.dir;
    this.#pipeline = options.pipeline;
    this.#name = fileNameOf(options.pipeline);
    this.#files = options.files ?? nodeFiles;
    this.#processes = options.processes ?? systemProcesses();
  }

  async open(purpose: 'use' | 'look' = 'use'): Promise<void> {
    if (this.#state !== 'new') throw new TidemarkError('PIPELINE_STATE', 'The offset store was opened before');
    this.#state = purpose;
    const opening = (purpose === 'use' ? this.#take() : this.#readFile()).catch(async (error: unknown) => {
      await this.#giveBack();
      throw error;
    });
    this.#opening = opening.catch(() => {});
    await opening;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    await this.#opening;
    await this.line.close();
    await this.#giveBack();
  }

  async #giveBack(): Promise<void> {
    const release = this.#release;
    this.#release = async () => {};
    // A lock that stays is stale when this process ends.
    await release().catch(() => {});
  }

  get #path(): string {
    return join(this.#dir, this.#name);
  }

  async #take(): Promise<void> {
    const [files, dir, processes] = [this.#files, this.#dir, this.#processes];
    const prefix = `${this.#name}.lock-`;
    try {
      await files.makeDirectory(dir);
      this.#release = await acquireLock({ files, dir, prefix, processes }, (lock) => this.#locked(lock));
      // Of a process that was killed while it wrote.
      await files.remove(`${this.#path}${temporarySuffix}`).catch(unlessMissing);
    } catch (error) {
      throw isTidemarkError(error) ? error : this.#failed(error);
    }
    this.#book = await this.#readFile();
  }

  async #load(): Promise<Book> {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#state === 'look') return this.#readFile();
    if (this.#book !== undefined) return this.#book;
    throw new TidemarkError('PIPELINE_STATE', 'The offset store is not open');
  }

  /** Missing = no pipeline of the name was ever started here. */
  async #readFile(): Promise<Book> {
    try {
      const file = await this.#files.open(this.#path, 'read');
      try {
        const bytes = Buffer.alloc(await file.size());
        const length = await file.read(bytes, 0);
        return decodeBook(bytes.subarray(0, length), this.#pipeline, this.#path);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return emptyBook;
      throw isTidemarkError(error) ? error : this.#failed(error);
    }
  }

  async #save(after: Book): Promise<void> {
    if (this.#state === 'look') throw new TidemarkError('PIPELINE_STATE', 'The offset store is open to look only');
    try {
      await makeFile(this.#files, this.#dir, this.#name, [encodeBook(this.#pipeline, after)]);
      this.#book = after;
    } catch (error) {
      const failure = this.#failed(error);
      if (!failure.retriable) this.#ended = failure;
      throw failure;
    }
  }

  /**
   * A disk that had no room for the new file has left the old one alone: that can be tried again. After anything else, an
   * fsync above all, the system may show what is not on the disk: the store has ended, and the file says where to go on.
   */
  #failed(cause: unknown): TidemarkError {
    const syscall = cause instanceof Error && 'syscall' in cause ? String(cause.syscall) : '';
    const retriable = isNoRoom(cause) && /^(?:open|writev?)$/.test(syscall);
    const foreignCode = errnoOf(cause);
    return new TidemarkError('STORE_REQUEST_FAILED', `${this.#path}: ${messageOf(cause)}`, {
      path: this.#path,
      retriable,
      cause,
      ...(foreignCode === undefined ? {} : { foreignCode }),
      hint: retriable ? 'Make room on the disk.' : 'Check path, rights and disk, then start again.',
    });
  }

  #locked({ path, holder, isElsewhere }: HeldLock): TidemarkError {
    const who = holder === undefined ? 'a process that cannot be told' : `process ${holder.pid} on ${holder.host}`;
    return new TidemarkError('STORE_LOCKED', `${this.#path}: the offsets of ${this.#pipeline} are held by ${who}`, {
      path,
      retriable: true,
      hint: isElsewhere
        ? `It is of another boot, machine or container: whether it lives cannot be told from here. When it is gone for certain, remove ${path}.`
        : 'A file store is for one process: stop the other one first.',
    });
  }
}

function unlessMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
