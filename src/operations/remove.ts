import { TidemarkError } from '../errors.ts';
import { partitionName } from '../model/index.ts';
import { isAlive, type StoredOffset } from '../offsets/index.ts';
import type { ApplyOptions } from './applyMoves.ts';
import { type Choice, chosen, requireFound } from './choice.ts';
import { seenOf } from './movePlan.ts';
import type { Progress } from './progress.ts';

export interface RemoveOptions extends ApplyOptions {
  readonly choice: Choice;
  readonly reason: string;
}

/**
 * Removes the chosen rows of a pipeline. The history stays, so that a pipeline of this name that comes back cannot be mistaken for the
 * old one. Throws LEDGER_IN_USE while a live process works on one of them: it would begin again by its reset policy, at
 * once and without a word.
 */
export async function removePositions(progress: Progress, options: RemoveOptions): Promise<readonly StoredOffset[]> {
  const { store, pipeline } = progress;
  const [stored, owners] = await Promise.all([store.read(), store.owners()]);
  const rows = stored.filter((row) => chosen(options.choice, row));
  requireFound(options.choice, rows, pipeline);
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
