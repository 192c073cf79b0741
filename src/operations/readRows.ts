import { TidemarkError } from '../errors.ts';
import type { StoredOffset } from '../offsets/index.ts';
import { type Choice, chosen, requireFound } from './choice.ts';
import type { Progress } from './progress.ts';

/**
 * The chosen rows as the store has them, by topic and partition; no brokers are asked. Throws USAGE_INVALID for a pipeline without
 * rows, and for a choice that finds nothing.
 */
export async function readRows(
  { store, pipeline, place }: Pick<Progress, 'store' | 'pipeline' | 'place'>,
  choice: Choice,
): Promise<readonly StoredOffset[]> {
  const stored = await store.read();
  if (stored.length === 0) {
    throw new TidemarkError('USAGE_INVALID', `${pipeline} has no positions (${place})`, {
      hint: 'tidemark offsets list shows what there is.',
    });
  }
  const rows = stored.filter((row) => chosen(choice, row));
  requireFound(choice, rows, pipeline);
  return rows;
}
