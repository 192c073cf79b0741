import { isTidemarkError } from '../../errors.ts';
import { backoffMs, type Clock } from '../../platform/index.ts';
import type { Failure } from './fetchVerdict.ts';
import type { FollowedPartition } from './followedPartition.ts';

/** Waits between attempts grow from the first to the second. */
export const retryBaseMs = 50;
export const retryCapMs = 1_000;

/**
 * How long a finding that may pass is looked at again before it is believed: brokers learn of new and deleted topics
 * some time after the controller, and bytes can be damaged on the way.
 */
const doubtMs = 2_000;

/** Who asks: until when, and when not any more. */
export interface RetryLimits {
  readonly clock: Clock;
  readonly closing: AbortSignal;
  readonly requestTimeoutMs: number;
}

/**
 * Runs `attempt` until it succeeds, fails for good, or `requestTimeoutMs` is over; then its last error counts. The
 * argument is the number of the attempt: from the second on metadata should be fetched anew.
 */
export async function retryRequest<T>(
  attempt: (number: number) => Promise<T>,
  { clock, closing, requestTimeoutMs }: RetryLimits,
): Promise<T> {
  const startedMs = clock.monotonic();
  for (let number = 1; ; number += 1) {
    try {
      closing.throwIfAborted();
      return await attempt(number);
    } catch (error) {
      closing.throwIfAborted();
      const waitMs = backoffMs(number, retryBaseMs, retryCapMs);
      const elapsedMs = clock.monotonic() - startedMs + waitMs;
      if (!mayRetry(error, elapsedMs) || elapsedMs > requestTimeoutMs) throw error;
      await clock.sleep(waitMs, closing);
    }
  }
}

/** Whether a failure ends a stream: at once, or because its doubt has lasted. Counts as a look at a doubtful one. */
export function endsStream(stream: FollowedPartition, failure: Failure, nowMs: number): boolean {
  if (failure.kind === 'doubtful') return stream.doubted(nowMs) >= doubtMs;
  return failure.kind === 'final';
}

function mayRetry(error: unknown, elapsedMs: number): boolean {
  if (!isTidemarkError(error)) return false;
  return error.retriable || (error.code === 'KAFKA_TOPIC_MISSING' && elapsedMs < doubtMs);
}
