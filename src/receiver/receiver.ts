import type { RecordHeaders } from '../model/index.ts';

/** A record as a receiver hands it in. Text is stored as UTF-8. */
export interface ReceivedRecord {
  readonly value: Buffer | string | null;
  /** Default null. */
  readonly key?: Buffer | string | null;
  /** Default none. */
  readonly headers?: RecordHeaders;
  /** ms since 1970. Default: now. */
  readonly timestampMs?: number;
}

/**
 * Where a receiver's records go, and whom it tells. Given to it when it starts.
 *
 * `store` is for sources that cannot be acknowledged (a socket): the record is in memory until its block is cut. `storeBatch`
 * is for those that can: when it resolves the records are durable and will reach the sink exactly once.
 */
export interface ReceiverContext {
  /** Waits for a permit of the rate limiter and for room, then takes one record. Rejects with RECEIVER_STOPPED. */
  store(record: ReceivedRecord): Promise<void>;
  /**
   * Takes records that stay together in one block; resolves when they are durable. Rejects, with none of them stored, with
   * RECEIVER_STOPPED, WAL_FULL, or WAL_ENTRY_TOO_LARGE; and with WAL_WRITE_FAILED, when nobody knows whether they are.
   */
  storeBatch(records: readonly ReceivedRecord[]): Promise<void>;
  /** Whether more may be taken: false when as much waits as may (blocksWaitingMax, bytesWaitingMax). */
  readonly hasRoom: boolean;
  /** Resolves when there is room; at once when there is. Rejects with RECEIVER_STOPPED. */
  whenRoom(): Promise<void>;
  /** Stops the receiver, waits `delayMs` (default 2000, Spark's receiverRestartDelay), starts it again. Returns at once; what is asked for meanwhile changes nothing. */
  restart(message: string, error?: unknown, delayMs?: number): void;
  /** Ends the receiver: with an error it counts as failed and is started again after a while, without one it has ended for good. */
  stop(message: string, error?: unknown): void;
  /** Makes an error visible (status, event `receiverChanged`) and goes on. */
  reportError(message: string, error?: unknown): void;
  /** Aborted when this start of the receiver is over. */
  readonly signal: AbortSignal;
}

/**
 * A source that pushes. Both methods must be prompt: `start` begins to receive (listens, connects) and returns, `stop` ends
 * it, and nothing is stored after it has resolved. `start` is called again after every stop that was not the last one. A `start`
 * that rejects is repeated after a while, longer and longer; so is a receiver that ended by `context.stop` with an error.
 */
export interface Receiver {
  /** Where it can be reached while it listens, for status and logs. */
  readonly address?: string | undefined;
  start(context: ReceiverContext): Promise<void> | void;
  stop(): Promise<void> | void;
}

/** A receiver that user code brings, in place of a `type` of the configuration. */
export interface ReceiverDefinition {
  /** Part of its name in the ledger, `receiver:<name>@<log id>`; unique in the pipeline. */
  readonly name: string;
  createReceiver(): Receiver;
}
