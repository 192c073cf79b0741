import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { noCounts, OffsetRange, partitionName } from '../model/index.ts';
import {
  explainLowerPosition,
  type HeldClaim,
  type OffsetStore,
  resolveInDoubt,
  type StoredOffset,
} from '../offsets/index.ts';
import { backoffMs, type Clock } from '../platform/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { BatchSource, SourcePosition } from './batchSource.ts';
import type { Degradation } from './degradation.ts';
import type { Slot } from './slot.ts';

export interface ActionEnvironment {
  readonly store: OffsetStore;
  readonly source: BatchSource;
  readonly clock: Clock;
  readonly events: EventHub;
  readonly degradation: Degradation;
  readonly signal: AbortSignal;
}

/** What became of a partition after the ledger was asked. `gone` = another owner has it. */
export type LedgerAnswer =
  | { readonly kind: 'at'; readonly nextOffset: bigint; readonly committed: boolean }
  | { readonly kind: 'gone' }
  | { readonly kind: 'park'; readonly error: TidemarkError };

/** Repeats an operation of the store while it is away; nothing else is retried. */
export async function whileStoreAway<T>(environment: ActionEnvironment, operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    environment.signal.throwIfAborted();
    try {
      const result = await operation();
      environment.degradation.end('store');
      return result;
    } catch (error) {
      if (!isTidemarkError(error) || !error.retriable) throw error;
      environment.degradation.begin('store', error);
      await environment.clock.sleep(backoffMs(attempt, 100, 5000), environment.signal);
    }
  }
}

/**
 * The answer of a commit is missing. The order of events that makes a plain look at the row wrong: we send COMMIT, the
 * connection dies, we read the row (`from`) and begin again — and only then the server, still running the old transaction, commits
 * it: the range is there twice. So the partition is claimed afresh first, against our own claim: the fresh claim
 * fences that ghost too. What the row says after that is the truth (design §3.5).
 */
export async function settleDoubt(
  slot: Slot,
  range: OffsetRange,
  environment: ActionEnvironment,
): Promise<LedgerAnswer> {
  const { store } = environment;
  const [outcome] = await whileStoreAway(environment, () =>
    store.claim([{ topic: slot.topic, partition: slot.partition, seenClaim: slot.held.claim }]),
  );
  if (outcome === undefined || !outcome.claimed) return { kind: 'gone' };
  takeOn(slot, outcome.held, environment);
  const resolution = resolveInDoubt(outcome.row, outcome.held, range);
  if (resolution === 'committed') return { kind: 'at', nextOffset: outcome.row.nextOffset, committed: true };
  if (resolution === 'redo') return { kind: 'at', nextOffset: outcome.row.nextOffset, committed: false };
  return explain(slot, outcome.row, range.fromOffset, environment);
}

/** The row carries our claim and not our offset: the database went back in time, or someone changed the row by hand. */
export async function settleMoved(slot: Slot, environment: ActionEnvironment): Promise<LedgerAnswer> {
  const { store } = environment;
  const rows = await whileStoreAway(environment, () => store.read([slot.topic]));
  const row = rows.find((candidate) => candidate.partition === slot.partition);
  if (row === undefined || row.claim !== slot.held.claim) return { kind: 'gone' };
  const answer = await explain(slot, row, slot.position, environment);
  if (answer.kind !== 'at') return answer;
  const [outcome] = await whileStoreAway(environment, () =>
    store.claim([{ topic: slot.topic, partition: slot.partition, seenClaim: slot.held.claim }]),
  );
  if (outcome === undefined || !outcome.claimed) return { kind: 'gone' };
  takeOn(slot, outcome.held, environment);
  return answer;
}

/** The same owner under a fresh claim. */
function takeOn(slot: Slot, held: HeldClaim, { source }: ActionEnvironment): void {
  slot.held = held;
  source.reclaimed(held);
}

/** Where the source is to go on. */
export function slotPosition(slot: Slot): SourcePosition {
  return {
    topic: slot.topic,
    partition: slot.partition,
    nextOffset: slot.position,
    topicId: slot.topicId,
    leaderEpoch: slot.leaderEpoch,
    held: slot.held,
    claimBefore: null,
  };
}

/** Whether the ledger's row still carries our claim. */
export async function holdsClaim(slot: Slot, environment: ActionEnvironment): Promise<boolean> {
  const rows = await whileStoreAway(environment, () => environment.store.read([slot.topic]));
  return rows.some((row) => row.partition === slot.partition && row.claim === slot.held.claim);
}

async function explain(
  slot: Slot,
  row: StoredOffset,
  expected: bigint,
  environment: ActionEnvironment,
): Promise<LedgerAnswer> {
  const newest = await whileStoreAway(environment, () => environment.store.newestRange(slot));
  if (row.nextOffset < expected && explainLowerPosition(row, newest) === 'restored') {
    return { kind: 'at', nextOffset: row.nextOffset, committed: false };
  }
  return { kind: 'park', error: tampered(slot, row.nextOffset, expected, newest?.untilOffset) };
}

export function tampered(
  of: { readonly topic: string; readonly partition: number },
  found: bigint,
  expected: bigint | undefined,
  historyEnd: bigint | undefined,
): TidemarkError {
  const expectation = expected === undefined ? '' : `, expected ${expected}`;
  return new TidemarkError(
    'LEDGER_TAMPERED',
    `The ledger's row of ${partitionName(of)} says ${found}${expectation}; the history ends at ${historyEnd ?? 'nothing'}: someone changed the row by hand`,
    {
      topic: of.topic,
      partition: of.partition,
      offset: found,
      hint: 'Put next_offset back to where the history ends, then start the pipeline again.',
    },
  );
}

/**
 * Marks the partition parked in the ledger and in memory, and says so. The others go on.
 *
 * Answers an error when the ledger says that the partition is not ours any more: then it is fenced, not parked. Sequence:
 * a process sleeps, another takes over and writes the same keys; it wakes up, and the first thing it hears is a duplicate
 * key, as if a record were bad.
 */
export async function park(
  slot: Slot,
  error: TidemarkError,
  environment: ActionEnvironment,
): Promise<TidemarkError | undefined> {
  environment.source.close(slot);
  try {
    await environment.store.setState(slot.held, 'parked', `${error.code}: ${error.message}`);
  } catch (failure) {
    if (isTidemarkError(failure, 'LEDGER_FENCED')) return failure;
    // The mark is for people who look at the ledger; not being able to set it must not hide why the partition parked.
    environment.events.emit('degraded', { what: 'store', error: asTidemarkError(failure) });
  }
  slot.state = 'parked';
  slot.error = error;
  environment.events.emit('partitionParked', {
    topic: slot.topic,
    partition: slot.partition,
    nextOffset: slot.position,
    error,
  });
  return undefined;
}

/** Writes an accepted loss into the ledger and moves on behind it. */
export async function commitGap(
  slot: Slot,
  untilOffset: bigint,
  reason: string,
  environment: ActionEnvironment,
): Promise<void> {
  const range = new OffsetRange(slot.topic, slot.partition, slot.position, untilOffset);
  for (let isDone = false; !isDone; ) isDone = await tryGap(slot, range, reason, environment);
  slot.moveTo(untilOffset);
  environment.source.committed(slot, untilOffset);
  environment.events.emit('gapCommitted', { range, reason });
}

/** False when it is to be done again. */
async function tryGap(
  slot: Slot,
  range: OffsetRange,
  reason: string,
  environment: ActionEnvironment,
): Promise<boolean> {
  const { store, clock } = environment;
  const gap = { leaderEpoch: -1, batchTimeMs: clock.now(), kind: 'gap', reason } as const;
  try {
    await whileStoreAway(environment, () =>
      store.commitRanges([{ range, held: slot.held, counts: noCounts(), ...gap }]),
    );
    return true;
  } catch (error) {
    if (!isTidemarkError(error, 'COMMIT_IN_DOUBT')) throw error;
    const answer = await settleDoubt(slot, range, environment);
    if (answer.kind === 'park') throw answer.error;
    if (answer.kind === 'gone') throw fencedDuringGap(range, error);
    return answer.committed;
  }
}

function fencedDuringGap(range: OffsetRange, cause: TidemarkError): TidemarkError {
  const { topic, partition } = range;
  return new TidemarkError('LEDGER_FENCED', `Another owner took ${partitionName(range)} while a gap was committed`, {
    topic,
    partition,
    cause,
  });
}

export function asTidemarkError(error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error;
  return new TidemarkError('INVARIANT_BROKEN', `Unexpected failure: ${messageOf(error)}`, { cause: error });
}
