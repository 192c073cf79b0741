import { isTidemarkError } from '../errors.ts';
import type { HeldClaim, OffsetStore, PositionVerdict, StoredOffset } from '../offsets/index.ts';
import { type ActionEnvironment, asTidemarkError, commitGap, park, Slot, tampered } from '../scheduler/index.ts';

/** A partition whose row carries a fresh claim of ours. */
export interface Claimed {
  readonly held: HeldClaim;
  readonly row: StoredOffset;
  /** The claim that ours took the place of; null = it was nobody's. */
  readonly claimBefore: string | null;
}

/** Whether a partition can go on from where its row stands: the ledger's own consistency first, then the log's (I7). */
export async function judge(
  claimed: readonly Claimed[],
  store: OffsetStore,
  actions: ActionEnvironment,
): Promise<readonly PositionVerdict[]> {
  const rows = claimed.map(({ row }) => row);
  const [newest, verdicts] = await Promise.all([
    Promise.all(rows.map((row) => store.newestRange(row))),
    actions.source.verify(claimed.map(({ held, row, claimBefore }) => ({ ...row, held, claimBefore }))),
  ]);
  return rows.map((row, index) => {
    const historyEnd = newest[index]?.untilOffset;
    if (historyEnd !== undefined && historyEnd !== row.nextOffset) {
      return { kind: 'stop', error: tampered(row, row.nextOffset, historyEnd, historyEnd) };
    }
    return verdicts[index] ?? { kind: 'good' };
  });
}

/** Opens the source of a partition, after the gap or the parking that its verdict asks for. undefined = it was fenced meanwhile. */
export async function admit(
  { held, row, claimBefore }: Claimed,
  verdict: PositionVerdict,
  actions: ActionEnvironment,
): Promise<Slot | undefined> {
  const slot = new Slot({ held, position: row.nextOffset, topicId: row.topicId, leaderEpoch: row.leaderEpoch });
  try {
    if (verdict.kind === 'stop') throw verdict.error;
    if (verdict.kind === 'gap') await commitGap(slot, verdict.untilOffset, verdict.reason, actions);
    const { topic, partition, topicId, leaderEpoch, position: nextOffset } = slot;
    actions.source.open({ topic, partition, topicId, leaderEpoch, nextOffset, held, claimBefore });
    return slot;
  } catch (error) {
    actions.signal.throwIfAborted();
    if (isTidemarkError(error, 'LEDGER_FENCED')) return undefined;
    const fenced = await park(slot, asTidemarkError(error), actions);
    return fenced === undefined ? slot : undefined;
  }
}
