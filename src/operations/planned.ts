import type { TopicPartition } from '../model/index.ts';
import type { PositionMove } from '../offsets/index.ts';

/** What becomes of one partition, for people to look at first. */
export interface PlannedMove extends TopicPartition {
  /** Undefined for a partition that has no position yet. */
  readonly before: bigint | undefined;
  readonly after: bigint;
  /** Offsets that will be read again: their records go into the sink once more. */
  readonly rereadOffsets: bigint;
  /** Offsets that nobody will read. */
  readonly passedOffsets: bigint;
  /** Instance id of who works on it now: it will be fenced, and go on from the new position. */
  readonly owner: string | undefined;
}

/** A planned move, and what the store is asked for. */
export interface Planned {
  readonly moves: readonly { readonly shown: PlannedMove; readonly move: PositionMove }[];
  readonly warnings: readonly string[];
}
