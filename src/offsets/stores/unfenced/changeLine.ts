import { TidemarkError } from '../../../errors.ts';
import type { Clock } from '../../../platform/index.ts';
import { type Book, Draft } from './book.ts';

/** Where a book is kept. */
export interface BookPlace {
  load(): Promise<Book>;
  /** Durable when it resolves. COMMIT_IN_DOUBT when nobody knows whether it is. */
  save(after: Book, before: Book): Promise<void>;
}

interface Waiting {
  /** Answers the book after its change. */
  readonly apply: (book: Book, nowMs: number) => Book;
  readonly answer: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Looks and changes one after the other. What comes while the book is being saved waits, and is then saved together: one
 * write for all partitions that commit at the time.
 */
export class ChangeLine {
  readonly #place: BookPlace;
  readonly #clock: Clock;
  #waiting: Waiting[] = [];
  #atWork: Waiting[] = [];
  #working: Promise<void> | undefined;
  #closed: TidemarkError | undefined;

  constructor(place: BookPlace, clock: Clock) {
    this.#place = place;
    this.#clock = clock;
  }

  look<T>(read: (book: Book, nowMs: number) => T): Promise<T> {
    return this.#inLine((book, nowMs) => ({ book, result: read(book, nowMs) }));
  }

  change<T>(work: (draft: Draft, nowMs: number) => T): Promise<T> {
    return this.#inLine((book, nowMs) => {
      const draft = new Draft(book, nowMs);
      const result = work(draft, nowMs);
      return { book: draft, result };
    });
  }

  /** Everything that waits rejects at once; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#closed ??= new TidemarkError('PIPELINE_STATE', 'The offset store is closed');
    for (const { reject } of [...this.#atWork, ...this.#waiting]) reject(this.#closed);
    this.#waiting = [];
    await this.#working;
  }

  #inLine<T>(step: (book: Book, nowMs: number) => { readonly book: Book; readonly result: T }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed !== undefined) {
        reject(this.#closed);
        return;
      }
      let answer = () => {};
      const apply = (book: Book, nowMs: number) => {
        const after = step(book, nowMs);
        answer = () => resolve(after.result);
        return after.book;
      };
      this.#waiting.push({ apply, answer: () => answer(), reject });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#atWork = this.#waiting;
      this.#waiting = [];
      await this.#together(this.#atWork).catch((error: unknown) => {
        for (const { reject } of this.#atWork) reject(error);
      });
    }
    this.#atWork = [];
    this.#working = undefined;
  }

  async #together(changes: readonly Waiting[]): Promise<void> {
    const before = await this.#place.load();
    const nowMs = this.#clock.now();
    let book = before;
    const applied: Waiting[] = [];
    for (const change of changes) {
      try {
        book = change.apply(book, nowMs);
        applied.push(change);
      } catch (error) {
        change.reject(error);
      }
    }
    if (book !== before) await this.#place.save(book, before);
    for (const { answer } of applied) answer();
  }
}
