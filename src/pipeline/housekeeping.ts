import type { TidemarkError } from '../errors.ts';
import type { OffsetStore } from '../offsets/index.ts';
import type { Clock, ProcessIdentity } from '../platform/index.ts';
import { asTidemarkError, type BatchSource, type Degradation, type Scheduler } from '../scheduler/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { Assignment } from './assignment.ts';
import { applyControls } from './controls.ts';
import type { Ownership } from './ownership.ts';
import { periodically } from './periodic.ts';

/** Heartbeat of the owner, orders of operators, unheld partitions: honoured within a second (docs/guarantees.md). */
const housekeepingMs = 1000;

/** What is looked after while a pipeline runs, and whom to tell. */
export interface Household {
  readonly identity: ProcessIdentity;
  readonly store: OffsetStore;
  readonly ownership: Ownership;
  readonly scheduler: Scheduler;
  readonly source: BatchSource;
  readonly assignment: Assignment;
  readonly degradation: Degradation;
  readonly events: EventHub;
  readonly clock: Clock;
  readonly metadataRefreshMs: number;
  /** After each look around: the run may be done. */
  readonly onLooked: () => void;
  /** Another process owns a partition, and that ends this pipeline; false = it does not, the look is repeated. */
  readonly endsRun: (error: TidemarkError) => boolean;
}

/** Runs until aborted. The heartbeat goes apart from the rest: a slow broker must not make this process look dead. */
export async function keepHouse(house: Household, signal: AbortSignal): Promise<void> {
  const { clock, store, scheduler, events, degradation } = house;
  const storeFailed = (error: unknown) => degradation.begin('store', asTidemarkError(error));
  await Promise.all([
    periodically(housekeepingMs, clock, signal, () => beat(house), storeFailed),
    periodically(housekeepingMs / 2, clock, signal, () => applyControls(store, scheduler, events), storeFailed),
    periodically(housekeepingMs / 4, clock, signal, lookAround(house), (error) => lookFailed(house, error)),
  ]);
}

async function beat({ store, identity, degradation }: Household): Promise<void> {
  await store.registerOwner(identity);
  degradation.end('store');
}

function lookAround(house: Household): () => Promise<void> {
  const { ownership, clock, metadataRefreshMs } = house;
  let refreshedMs = clock.monotonic();
  let sweptMs = refreshedMs;
  return async () => {
    watchSource(house);
    if (clock.monotonic() - refreshedMs >= metadataRefreshMs) {
      // A topic that is gone, or a broker that is away, must not keep us from the partitions we know.
      await ownership.refresh().catch((error: unknown) => lookFailed(house, error));
      refreshedMs = clock.monotonic();
    }
    if (ownership.hasUnheld || clock.monotonic() - sweptMs >= housekeepingMs) {
      await ownership.sweep();
      sweptMs = clock.monotonic();
    }
    house.onLooked();
  };
}

function lookFailed({ degradation, endsRun }: Household, thrown: unknown): void {
  const error = asTidemarkError(thrown);
  if (endsRun(error)) return;
  degradation.begin(error.code.startsWith('KAFKA_') ? 'kafka' : 'store', error);
}

function watchSource({ scheduler, source, assignment, degradation }: Household): void {
  const streams = scheduler.slots().map((slot) => source.retrying(slot));
  const retrying = [...streams, assignment.retrying].find((error) => error !== undefined);
  if (retrying === undefined) degradation.end('kafka');
  else degradation.begin('kafka', asTidemarkError(retrying));
}
