import { isTidemarkError, type TidemarkError } from '../../errors.ts';
import { noCounts, OffsetRange, type RangeCounts, type TopicPartition } from '../../model/index.ts';
import type { HeldClaim, OffsetStore, RangeCommit, StoredOffset } from '../../offsets/index.ts';
import { newClaimToken, type ProcessIdentity } from '../../platform/index.ts';
import type { LedgerPlace, StoreSuite } from './suite.ts';

export const pipeline = 'conformance';
export const batchTimeMs = Date.UTC(2026, 0, 15, 12);

/** A place with two processes, and what most tests begin with. */
export interface Scene {
  readonly place: LedgerPlace;
  readonly store: OffsetStore;
  /** The same one where a place takes one process only: then it is somebody else's call in this process. */
  readonly other: OffsetStore;
  /** Owners as which `store` and `other` are registered. */
  readonly self: ProcessIdentity;
  readonly stranger: ProcessIdentity;
}

export async function withScene(suite: StoreSuite, use: (scene: Scene) => Promise<void>): Promise<void> {
  const place = await suite.environment.newPlace();
  const store = place.newStore(pipeline);
  const self = identity('self');
  const { fenced } = suite.environment.capabilities;
  const [other, stranger] = fenced ? [place.newStore(pipeline), identity('stranger')] : [store, self];
  try {
    await Promise.all([openAs(store, self), ...(fenced ? [openAs(other, stranger)] : [])]);
    await use({ place, store, other, self, stranger });
  } finally {
    await Promise.all([store.close(), other.close()]);
  }
}

export async function openAs(store: OffsetStore, as: ProcessIdentity): Promise<void> {
  await store.open();
  await store.registerOwner(as);
}

export function identity(host: string): ProcessIdentity {
  return { instanceId: newClaimToken(), host, bootId: `boot of ${host}`, pid: 4711 };
}

export function at(topic: string, partition: number): TopicPartition {
  return { topic, partition };
}

/** Inserts rows of one topic, partitions counted from 0. */
export async function begin(
  store: OffsetStore,
  topic: string,
  nextOffsets: readonly (bigint | number)[],
): Promise<void> {
  await store.initialise(
    nextOffsets.map((nextOffset, partition) => ({
      topic,
      partition,
      nextOffset: BigInt(nextOffset),
      topicId: `id of ${topic}`,
    })),
  );
}

export async function rowOf(store: OffsetStore, of: TopicPartition): Promise<StoredOffset> {
  const row = (await store.read([of.topic])).find(({ partition }) => partition === of.partition);
  if (row === undefined) throw new Error(`no row of ${of.topic}-${of.partition}`);
  return row;
}

/** Claims partitions as their rows are. */
export async function claimed(store: OffsetStore, ...of: readonly TopicPartition[]): Promise<readonly HeldClaim[]> {
  const rows = await Promise.all(of.map((one) => rowOf(store, one)));
  const outcomes = await store.claim(
    rows.map(({ topic, partition, claim }) => ({ topic, partition, seenClaim: claim })),
  );
  return outcomes.map((outcome) => {
    if (!outcome.claimed) throw new Error('the claim missed');
    return outcome.held;
  });
}

export async function claimOne(store: OffsetStore, of: TopicPartition): Promise<HeldClaim> {
  const [held] = await claimed(store, of);
  if (held === undefined) throw new Error('no outcome');
  return held;
}

/** A commit of `[from, until)` in which every offset is a record that gave a row, but for `counts`. */
export function commitOf(
  held: HeldClaim,
  from: bigint | number,
  until: bigint | number,
  more: Partial<Omit<RangeCommit, 'counts'>> & { readonly counts?: Partial<RangeCounts> } = {},
): RangeCommit {
  const records = more.kind === 'gap' ? 0 : Number(BigInt(until) - BigInt(from));
  return {
    range: new OffsetRange(held.topic, held.partition, BigInt(from), BigInt(until)),
    held,
    leaderEpoch: -1,
    batchTimeMs,
    kind: 'batch',
    reason: null,
    ...more,
    counts: { ...noCounts(), records, produced: records, rows: records, ...more.counts },
  };
}

/** The error a promise rejects with, which must be one of ours. */
export async function rejection(work: Promise<unknown>): Promise<TidemarkError> {
  try {
    await work;
  } catch (error) {
    if (isTidemarkError(error)) return error;
    throw error;
  }
  throw new Error('it did not reject');
}

/** A row without what changes by itself. */
export function still({ ageMs: _, ...row }: StoredOffset): Omit<StoredOffset, 'ageMs'> {
  return row;
}
