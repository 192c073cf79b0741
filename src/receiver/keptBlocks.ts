import type { SourcePosition } from '../scheduler/index.ts';
import type { LoggedBlock } from './block.ts';

/** What becomes of the blocks of a Kafka partition that the log holds when the partition is claimed. */
export interface ClaimedBlocks {
  /** The partition goes on with them: they follow each other from the position on. */
  readonly kept: readonly LoggedBlock[];
  /** Their offsets are committed, by whomever. */
  readonly finished: readonly LoggedBlock[];
  /** Beyond the position and received under another claim or with a gap before them, or from another topic of that name: Kafka has what is needed. */
  readonly stale: readonly LoggedBlock[];
}

/**
 * Decides by claim and topic id. The order of events that makes the claim count: a process receives offsets 100 to 200 and
 * is cut off; another takes the partition, an unclean leader election puts other records at 150, which it commits up to 180; the
 * first process has the partition again. By its offsets its block fits from 180 on, and holds records that no log has.
 * Blocks of the claim that was in the row just before ours are ours: nobody had the partition in between.
 *
 * Whose a block is does not matter below the position: a log keeps what is committed for a while, and a stop has given its
 * claim back. Called stale, it would be counted as discarded with every restart.
 */
export function judgeBlocks(held: readonly LoggedBlock[], position: SourcePosition): ClaimedBlocks {
  const kept: LoggedBlock[] = [];
  const finished: LoggedBlock[] = [];
  const stale: LoggedBlock[] = [];
  let end = position.nextOffset;
  for (const block of [...held].sort((a, b) => (a.place.index < b.place.index ? -1 : 1))) {
    const isOurs = block.claim === position.held.claim || block.claim === position.claimBefore;
    if (block.topicId !== position.topicId) stale.push(block);
    else if (block.untilOffset <= (isOurs ? end : position.nextOffset)) finished.push(block);
    else if (!isOurs) stale.push(block);
    else if (kept.length === 0 ? block.fromOffset <= end : block.fromOffset === end) {
      kept.push(block);
      end = block.untilOffset;
    } else stale.push(block);
  }
  return { kept, finished, stale };
}
