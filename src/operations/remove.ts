import { TidemarkError } from '../errors.ts';
import { partitionName } from '../model/index.ts';
import { isAlive, type StoredOffset } from '../offsets/index.ts';
import type { ApplyOptions } from './applyMoves.ts';
import type { Choice } from './choice.ts';
import { seenOf } from './movePlan.ts';
import type { Progress } from './progress.ts';
import { readRows } from './readRows.ts';

export interface RemoveOptions extends ApplyOptions {
  readonly choice: Choice;
  readonly reason: string;
}

/**
 * Removes the chosen rows of a pipeline. The history stays, so that a pipeline of this name that comes back cannot be mistaken for the
 * old one. Throws LEDGER_IN_USE while a live process works on one of them: it would begin again by its reset policy, at
 * once and without a word. Throws USAGE_INVALID like `readRows`.
 */
export async function removePositions(progress: Progress, options: RemoveOptions): Promise<readonly StoredOffset[]> {
  const { store } = progress;
  const [rows, owners] = await Promise.all([readRows(progress, options.choice), store.owners()]);
  const live = new Set(owners.filter(isAlive).map(({ instanceId }) => instanceId));
  const owned = rows.find(({ owner }) => owner !== null && live.has(owner));
  if (owned !== undefined) throw inUse(owned);
  await options.beforeChange?.(rows);
  const changed = await store.remove(
    rows.flatMap((row) => seenOf(row) ?? []),
    options.by,
    options.reason,
  );
  const [first] = changed;
  if (first !== undefined) {
    const row = rows.find(({ topic, partition }) => topic === first.topic && partition === first.partition);
    throw inUse({ ...first, owner: row?.owner ?? null });
  }
  return rows;
}

function inUse({ topic, partition, owner }: { topic: string; partition: number; owner: string | null }): TidemarkError {
  return new TidemarkError(
    'LEDGER_IN_USE',
    `A process works on ${partitionName({ topic, partition })} (${owner ?? 'claimed this moment'}): nothing was removed`,
    { topic, partition, hint: 'Stop the pipeline everywhere, then try again.' },
  );
}
