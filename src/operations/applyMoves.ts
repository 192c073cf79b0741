import { TidemarkError } from '../errors.ts';
import { partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import type { NewControl, StoredOffset } from '../offsets/index.ts';
import type { Planned } from './planned.ts';
import type { Progress } from './progress.ts';

export interface ApplyOptions {
  /** Who, for the history. */
  readonly by: string;
  /** Called with the rows as they are before anything is changed: for a backup. May be called again for a later attempt. */
  readonly beforeChange?: ((rows: readonly StoredOffset[]) => Promise<void>) | undefined;
}

const attemptsMax = 10;
/** From here on the workers are paused while the plan is made. */
const holdFromAttempt = 3;

/**
 * Makes a plan true. Each attempt reads the rows, plans from them, and moves them if they still are as they were read. Under load a
 * worker commits in between: the store then names the rows, their claims are taken, and the next attempt comes before the worker
 * has claimed again; and where there are too many rows for that, the workers are told to pause for the moment.
 * Throws LEDGER_MOVED when even that does not help; nothing is moved then.
 */
export async function applyMoves(
  progress: Progress,
  planWith: (rows: ReadonlyMap<string, StoredOffset>) => Planned,
  { by, beforeChange }: ApplyOptions,
): Promise<Planned> {
  const { store } = progress;
  const holds: bigint[] = [];
  try {
    for (let attempt = 1; ; attempt += 1) {
      const rows = await store.read();
      const planned = planWith(new Map(rows.map((row) => [partitionKey(row), row])));
      await beforeChange?.(rows);
      const changed = await store.move(
        planned.moves.map(({ move }) => move),
        by,
      );
      if (changed.length === 0) return planned;
      if (attempt === attemptsMax) throw moved(changed);
      if (attempt === holdFromAttempt && store.capabilities.controls)
        holds.push(...(await hold(progress, changed, by)));
      else await store.interrupt(changed);
    }
  } finally {
    if (holds.length > 0) await store.withdraw(holds);
  }
}

/** A pause of the partitions that keep moving. Should this process die now it stays, and `resume` ends it. */
async function hold({ store }: Progress, of: readonly TopicPartition[], by: string): Promise<readonly bigint[]> {
  const orders = of.map(
    ({ topic, partition }): NewControl => ({
      ...{ topic, partition, order: 'pause', fromOffset: null, untilOffset: null },
      reason: 'positions are being moved',
    }),
  );
  return (await store.order(orders, by)).map(({ id }) => id);
}

function moved(changed: readonly TopicPartition[]): TidemarkError {
  const [first] = changed;
  const names = changed.slice(0, 3).map(partitionName).join(', ');
  return new TidemarkError(
    'LEDGER_MOVED',
    `${names}${changed.length > 3 ? ` and ${changed.length - 3} more` : ''} moved on each time: ${attemptsMax} attempts, nothing was changed`,
    {
      ...(first === undefined ? {} : { topic: first.topic, partition: first.partition }),
      hint: 'Pause them first: tidemark offsets pause.',
    },
  );
}
