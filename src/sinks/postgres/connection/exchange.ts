import type { Client, Submittable } from 'pg';

/** The server's answer to one query string. */
export interface Answer {
  /** Command tags of the statements that ended well, in order, e.g. `COPY 17`. */
  readonly tags: readonly string[];
  /** Of the server, or of the connection where that was lost. */
  readonly error: Error | undefined;
}

/**
 * Collects answers to query strings whose bytes the caller writes to the socket itself, several at a time: the driver's
 * queue sends a query only after the one before is answered, which would cost a round trip each.
 *
 * How that fits into the driver: a query object gets the messages of one answer, from the moment it is submitted to the
 * next ReadyForQuery. Here `submit` writes nothing, and each object is handed to the driver when the one before is over,
 * so that the driver's own queue never holds more than one.
 */
export class Exchange {
  readonly #client: Client;
  readonly #expected: PendingAnswer[] = [];
  #active: PendingAnswer | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** One answer more, in the order of the query strings. Never rejects. */
  expect(): Promise<Answer> {
    return new Promise((resolve) => {
      const pending = new PendingAnswer((answer) => {
        resolve(answer);
        this.#active = undefined;
        this.#next();
      });
      this.#expected.push(pending);
      if (this.#active === undefined) this.#next();
    });
  }

  #next(): void {
    this.#active = this.#expected.shift();
    if (this.#active !== undefined) this.#client.query(this.#active as unknown as Submittable);
  }
}

/** A query object of the driver (pg's Query, without text). */
class PendingAnswer {
  readonly #tags: string[] = [];
  readonly #settle: (answer: Answer) => void;

  constructor(settle: (answer: Answer) => void) {
    this.#settle = settle;
  }

  submit(): null {
    return null;
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#tags.push(text);
  }

  handleReadyForQuery(): void {
    this.#settle({ tags: this.#tags, error: undefined });
  }

  /** The driver lets go of a query at its error; the ReadyForQuery that follows starts the next one in its queue. */
  handleError(error: Error): void {
    this.#settle({ tags: this.#tags, error });
  }

  handleCopyInResponse(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}

/** Whether the server said it, as opposed to a connection that was lost. */
export function isServerError(error: Error): error is ServerError {
  return 'severity' in error && 'code' in error && typeof error.code === 'string';
}

/** The fields of an ErrorResponse that are used here (PostgreSQL's manual, 55.8). */
export interface ServerError extends Error {
  readonly code: string;
  readonly severity: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly where?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}
