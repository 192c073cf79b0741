import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { unlessAborted } from '../platform/index.ts';
import type { ReceiverContext } from './receiver.ts';

/** What the supervisor adds nothing to: where records go. */
export type ReceiverIntake = Pick<ReceiverContext, 'store' | 'storeBatch' | 'hasRoom' | 'whenRoom'>;

/** Why a start of a receiver is over, and with that what comes next. */
export type Ending =
  /** For good. */
  | { readonly kind: 'stopped'; readonly message: string }
  | {
      readonly kind: 'restart';
      readonly message: string;
      readonly delayMs: number;
      readonly error: TidemarkError | undefined;
    }
  /** Started again, the later the more often it happens. */
  | { readonly kind: 'failed'; readonly message: string; readonly error: TidemarkError };

export interface ReceiverStartListener {
  /** In the same synchronous step as the call that ended it. */
  onEnd(ending: Ending): void;
  onError(error: TidemarkError): void;
}

/** One start of a receiver: its context, which is of no use to it when the next one begins. */
export class ReceiverStart {
  readonly context: ReceiverContext;
  readonly over: Promise<Ending>;
  readonly #name: string;
  readonly #listener: ReceiverStartListener;
  readonly #over = new AbortController();
  #isClosed = false;
  #resolveOver: (ending: Ending) => void = () => {};

  constructor(name: string, intake: ReceiverIntake, restartDelayMs: number, listener: ReceiverStartListener) {
    this.#name = name;
    this.#listener = listener;
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve;
    });
    const { signal } = this.#over;
    const requireOpen = () => {
      if (this.#isClosed) throw signal.reason;
    };
    const isOpen = () => !this.#isClosed;
    const asError = (message: string, error: unknown) => receiverError(name, message, error);
    this.context = {
      signal,
      // What the intake has begun to take is its own: refusing it here when the start is over would deny what is stored after all.
      store: async (record) => {
        requireOpen();
        await intake.store(record);
      },
      storeBatch: async (records) => {
        requireOpen();
        await intake.storeBatch(records);
      },
      get hasRoom() {
        return isOpen() && intake.hasRoom;
      },
      whenRoom: async () => {
        signal.throwIfAborted();
        await unlessAborted(intake.whenRoom(), signal);
      },
      restart: (message, error, delayMs = restartDelayMs) =>
        this.end({
          kind: 'restart',
          message,
          delayMs,
          error: error === undefined ? undefined : asError(message, error),
        }),
      stop: (message, error) =>
        this.end(
          error === undefined
            ? { kind: 'stopped', message }
            : { kind: 'failed', message, error: asError(message, error) },
        ),
      reportError: (message, error) => {
        if (isOpen()) listener.onError(asError(message, error));
      },
    };
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** The first call decides, later ones change nothing. */
  end(ending: Ending): void {
    if (this.isOver) return;
    this.#over.abort(new TidemarkError('RECEIVER_STOPPED', `Receiver ${this.#name} is stopped: ${ending.message}`));
    this.#listener.onEnd(ending);
    this.#resolveOver(ending);
  }

  /** From now on nothing is stored. */
  close(): void {
    this.#isClosed = true;
  }
}

/** A TidemarkError as it is, anything else as RECEIVER_FAILED. */
export function receiverError(name: string, message: string, error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error;
  const because = error === undefined ? '' : `: ${messageOf(error)}`;
  return new TidemarkError('RECEIVER_FAILED', `Receiver ${name}: ${message}${because}`, { cause: error });
}
