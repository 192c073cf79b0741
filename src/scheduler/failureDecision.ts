import { isTidemarkError, type TidemarkError } from '../errors.ts';
import type { RecordPolicy } from '../model/index.ts';

/** What to do after an attempt at a range failed. Nothing of the attempt is committed, except after `doubt`. */
export type FailureDecision =
  /** Same range again after a delay. */
  | { readonly kind: 'retry' }
  /** The answer of the commit is missing: ask the ledger. */
  | { readonly kind: 'doubt' }
  /** The row carries another claim, or is about to. */
  | { readonly kind: 'fenced' }
  /** The row carries our claim and another offset. */
  | { readonly kind: 'moved' }
  /** The position may lie outside the log: verify it. */
  | { readonly kind: 'verify' }
  /** One record is to blame: commit what is before it, then park. */
  | { readonly kind: 'stopBefore'; readonly offset: bigint }
  /** One record is to blame: redo the range without it. */
  | { readonly kind: 'skipRecord'; readonly offset: bigint }
  | { readonly kind: 'park' };

/**
 * Decides by the code of the error alone. `attempt` counts attempts at this range, 1 = the first. Retriable failures are
 * retried for ever: a database that is down for an hour must not park anything.
 */
export function decideAfterFailure(
  error: TidemarkError,
  attempt: number,
  policy: { readonly record: RecordPolicy; readonly attempts: number },
): FailureDecision {
  switch (error.code) {
    case 'LEDGER_FENCED':
    case 'GROUP_MEMBERSHIP_LOST':
      return { kind: 'fenced' };
    case 'LEDGER_MOVED':
      return { kind: 'moved' };
    case 'COMMIT_IN_DOUBT':
      return { kind: 'doubt' };
    case 'KAFKA_OFFSET_OUT_OF_RANGE':
      return { kind: 'verify' };
    case 'LEDGER_TAMPERED':
    // The code of the function is wrong, and each further run may commit the same rows once more.
    case 'SINK_TRANSACTION_ENDED':
      return { kind: 'park' };
    // What cannot be decoded is no poison record that a policy may skip: the log itself is damaged.
    case 'KAFKA_CORRUPT_BATCH':
    case 'KAFKA_BATCH_TOO_LARGE':
    case 'KAFKA_CODEC_UNSUPPORTED':
      return error.fromOffset === undefined ? { kind: 'park' } : { kind: 'stopBefore', offset: error.fromOffset };
    case 'SINK_REFUSED':
      if (error.offset !== undefined) {
        return { kind: policy.record === 'skip' ? 'skipRecord' : 'stopBefore', offset: error.offset };
      }
      return attempt < policy.attempts ? { kind: 'retry' } : { kind: 'park' };
    default:
      if (error.retriable) return { kind: 'retry' };
      // Kafka's own verdicts (topic gone, re-created, not allowed) do not change by asking again.
      if (error.code.startsWith('KAFKA_')) return { kind: 'park' };
      return attempt < policy.attempts ? { kind: 'retry' } : { kind: 'park' };
  }
}

/** Whether an error says that a service is away, not that the range is bad: these mark the pipeline degraded. */
export function degradedService(error: unknown): 'kafka' | 'store' | 'sink' | undefined {
  if (!isTidemarkError(error) || !error.retriable) return undefined;
  if (error.code.startsWith('KAFKA_')) return 'kafka';
  if (error.code.startsWith('STORE_')) return 'store';
  return 'sink';
}
