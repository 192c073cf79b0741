import type { Progress } from '../../src/operations/index.ts';
import { clonePositions, pause, reset, resume, skip } from '../../src/operations/index.ts';

/** A small generator of numbers that a seed repeats (xorshift32). */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A skip that was answered: from then on nothing of it may be committed in this incarnation. */
export interface MadeSkip {
  readonly partition: number;
  readonly incarnation: bigint;
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
}

/** A reset or import that was answered. */
export interface MadeMove {
  readonly partition: number;
  readonly toOffset: bigint;
}

export interface MadeCommands {
  readonly skips: MadeSkip[];
  readonly moves: MadeMove[];
  readonly done: Map<string, number>;
}

const cloning = { choice: [], fromGroup: false, allowActive: false, replace: true, execute: true };

/** One random command of an operator on the partitions of a topic, as the library gives it; `copy` is a pipeline beside it. */
export async function randomCommand(
  progress: Progress,
  copy: Progress,
  topic: string,
  partitions: number,
  random: (below: number) => number,
  made: MadeCommands,
): Promise<void> {
  const partition = random(partitions);
  const some = [{ topic, partitions: new Set([partition, random(partitions)]) }];
  const by = 'operator';
  const move = async (what: string, target: Parameters<typeof reset>[1]['target'], choice = some) => {
    const plan = await reset(progress, { choice, target, by, execute: true });
    made.moves.push(...plan.moves.map((one) => ({ partition: one.partition, toOffset: one.after })));
    count(made, what);
  };
  const rows = await progress.store.read([topic]);
  const positionOf = (of: number) => rows.find((row) => row.partition === of)?.nextOffset ?? 0n;
  switch (random(12)) {
    case 0:
      return move('to-earliest', { to: 'earliest' });
    case 1:
      return move('to-latest', { to: 'latest' });
    case 2:
      return move('shift-by', { to: 'shift', by: BigInt(random(400)) - 300n });
    case 3:
      return move('to-offset', { to: 'offset', offset: BigInt(random(500)) });
    case 4:
      return move('to-datetime', { to: 'time', timestampMs: Date.now() - random(5_000) });
    case 5: {
      const offsets = new Map(rows.map((row) => [`${topic}:${row.partition}` as const, row.nextOffset / 2n]));
      return move('import', { to: 'offsets', of: 'a file', offsets }, []);
    }
    case 6:
    case 7: {
      const ahead = random(2) === 0 ? undefined : positionOf(partition) + BigInt(random(300));
      const until = ahead === undefined ? undefined : ahead + BigInt(1 + random(20));
      const of = { topic, partition };
      const plan = await skip(progress, {
        ...{ of, fromOffset: ahead, untilOffset: until, reason: 'at random', by, execute: true },
      });
      const [row] = (await progress.store.read([topic])).filter((one) => one.partition === partition);
      if (row === undefined) throw new Error('no row');
      const { fromOffset, untilOffset } = plan;
      made.skips.push({ partition, incarnation: row.incarnation, fromOffset, untilOffset });
      return count(made, `skip ${plan.when}`);
    }
    case 8: {
      await clonePositions(progress, copy, { ...cloning, by });
      return count(made, 'clone');
    }
    case 9: {
      if ((await copy.store.read()).length === 0) return;
      const plan = await clonePositions(copy, progress, { ...cloning, by });
      made.moves.push(...plan.moves.map((one) => ({ partition: one.partition, toOffset: one.after })));
      return count(made, 'clone back');
    }
    case 10:
      await pause(progress, { choice: some, by, reason: 'at random' });
      return count(made, 'pause');
    default:
      await resume(progress, { choice: [] });
      return count(made, 'resume');
  }
}

function count({ done }: MadeCommands, what: string): void {
  done.set(what, (done.get(what) ?? 0) + 1);
}
