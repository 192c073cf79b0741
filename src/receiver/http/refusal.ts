import { isTidemarkError } from '../../errors.ts';

/** Every way a request is refused. In all of them but UNKNOWN_OUTCOME nothing was stored. */
const statuses = {
  BODY_EMPTY: 400,
  BODY_INVALID: 400,
  BODY_CUT_OFF: 400,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  BODY_TOO_LARGE: 413,
  CONTENT_TYPE_UNSUPPORTED: 415,
  CONTENT_ENCODING_UNSUPPORTED: 415,
  NO_ROOM: 429,
  UNKNOWN_OUTCOME: 500,
  UNAVAILABLE: 503,
} as const;

type RefusalKind = keyof typeof statuses;

/** Seconds after which a sender may try again: room and disks come back within moments or not at all. */
const retryAfterSeconds = 1;

/** The answer to a request that was not accepted. */
export class Refusal {
  readonly #kind: RefusalKind;
  /** What the answer names: the kind, or the code of the error behind it. */
  readonly code: string;
  readonly message: string;

  constructor(kind: RefusalKind, message: string, code: string = kind) {
    this.#kind = kind;
    this.code = code;
    this.message = message;
  }

  get status(): number {
    return statuses[this.#kind];
  }

  /** Whether the records may have been stored all the same. */
  get isUnknownOutcome(): boolean {
    return this.#kind === 'UNKNOWN_OUTCOME';
  }

  get headers(): Readonly<Record<string, string>> {
    switch (this.#kind) {
      case 'METHOD_NOT_ALLOWED':
        return { allow: 'POST' };
      case 'NO_ROOM':
      case 'UNAVAILABLE':
        return { 'retry-after': String(retryAfterSeconds) };
      default:
        return {};
    }
  }
}

/**
 * What a store that rejected means for the sender. The message of the error is not for the sender: it names files. What is not known
 * to have stored nothing is not said to have stored nothing.
 */
export function refusalOfStore(error: unknown): Refusal {
  const code = isTidemarkError(error) ? error.code : undefined;
  if (code === 'WAL_ENTRY_TOO_LARGE') {
    return new Refusal('BODY_TOO_LARGE', 'the records of a request must fit into one entry: send them in parts', code);
  }
  if (code === 'RECEIVER_STOPPED' || (isTidemarkError(error) && error.retriable)) {
    return new Refusal('UNAVAILABLE', 'nothing was stored: try again later', code);
  }
  return new Refusal('UNKNOWN_OUTCOME', 'it is unknown whether the records were stored', code);
}
