import type { TidemarkError } from '../errors.ts';
import type { TopicPartition } from '../model/index.ts';
import type { OwnerStatus, StoredOffset } from '../offsets/index.ts';

/** Who decides which partitions are this process's to claim. */
export interface Assignment {
  /** Begins; resolves when it is known what is ours. Rejects for what makes that impossible. */
  join(): Promise<void>;
  /** Ends; what is ours is given up before. Never rejects. */
  leave(): Promise<void>;
  /**
   * Of rows that this process does not hold, those it may claim now; `owners` reads who lives. Rejects when another owner is
   * reason to end the run. Being wrong here costs a fencing, never a record.
   */
  claimable(
    unheld: readonly StoredOffset[],
    owners: () => Promise<readonly OwnerStatus[]>,
  ): Promise<readonly StoredOffset[]>;
  /** Whether the partition is this process's by now: asked once more when a claim has been answered. */
  includes(partition: TopicPartition): boolean;
  /** The partition was taken from us under the claim we held. */
  fenced(partition: TopicPartition): void;
  /** A range of it is committed. */
  committed(partition: TopicPartition): void;
  /** What is being retried; undefined while all is well. */
  readonly retrying: TidemarkError | undefined;
}
