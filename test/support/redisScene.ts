/** What tests of the Redis ledger begin with, and what they look at. */
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import type { HeldClaim, OffsetStore, RangeCommit } from '../../src/offsets/index.ts';

export const orders = { topic: 'orders', partition: 0 };
export const pauseAll = {
  topic: null,
  partition: null,
  order: 'pause',
  fromOffset: null,
  untilOffset: null,
  reason: 'why',
} as const;

export async function openAs(store: OffsetStore, instanceId: string): Promise<void> {
  await store.open();
  await store.registerOwner({ instanceId, host: 'h', bootId: '', pid: 1 });
}

/** Rows of one topic, partitions counted from 0. */
export async function begin(store: OffsetStore, ...nextOffsets: readonly bigint[]): Promise<void> {
  const topicId = 'id';
  await store.initialise(nextOffsets.map((nextOffset, partition) => ({ ...orders, partition, nextOffset, topicId })));
}

export async function claimAll(store: OffsetStore): Promise<readonly HeldClaim[]> {
  const rows = await store.read();
  const outcomes = await store.claim(rows.map(({ claim, ...of }) => ({ ...of, seenClaim: claim })));
  return outcomes.flatMap((outcome) => (outcome.claimed ? [outcome.held] : []));
}

export function commitOf(
  held: HeldClaim | undefined,
  from: bigint,
  until: bigint,
  batchTimeMs = 1_700_000_000_000,
): RangeCommit {
  if (held === undefined) throw new Error('no claim');
  const count = Number(until - from);
  return {
    range: new OffsetRange(held.topic, held.partition, from, until),
    held,
    counts: { ...noCounts(), records: count, produced: count, rows: count },
    leaderEpoch: 0,
    batchTimeMs,
    kind: 'batch',
    reason: null,
  };
}

export async function positionsOf(store: OffsetStore): Promise<readonly bigint[]> {
  return (await store.read()).map(({ nextOffset }) => nextOffset);
}
