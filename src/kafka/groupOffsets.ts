import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import { type PartitionKey, partitionKey, type TopicPartition } from '../model/index.ts';
import { backoffMs, type Clock } from '../platform/index.ts';
import type { CommittedOffset } from './committedOffset.ts';

export type CommitGroupOffsets = (offsets: readonly CommittedOffset[]) => Promise<void>;

const retryBaseMs = 500;
const retryCapMs = 10_000;

/**
 * Tells a consumer group how far we are, for people and their tools. Nothing starts from it, so a commit that fails costs
 * nothing but a late figure. One commit at a time, for everything that was told meanwhile; the newest offset wins, also a lower one.
 */
export class GroupOffsets {
  readonly #commit: CommitGroupOffsets;
  readonly #metadata: string;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #pending = new Map<PartitionKey, CommittedOffset>();
  /** In the commit under way: told again should it fail. */
  #sent = new Map<PartitionKey, CommittedOffset>();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #attempts = 0;
  #failing: TidemarkError | undefined;

  /** `intervalMs`: between two commits, at least. */
  constructor(commit: CommitGroupOffsets, metadata: string, clock: Clock, intervalMs = 0) {
    this.#commit = commit;
    this.#metadata = metadata;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Why the group does not hear of us now. */
  get failing(): TidemarkError | undefined {
    return this.#failing;
  }

  tell(of: TopicPartition, nextOffset: bigint): void {
    const { topic, partition } = of;
    this.#pending.set(partitionKey(of), { topic, partition, offset: nextOffset, metadata: this.#metadata });
    this.#running ??= this.#work();
  }

  /** The partition is not ours any more: what was not told is another's to tell. */
  forget(of: TopicPartition): void {
    this.#pending.delete(partitionKey(of));
    this.#sent.delete(partitionKey(of));
  }

  /** One more try for what was not told yet; never rejects. */
  async flush(): Promise<void> {
    this.#closing.abort(new Error('closing'));
    await this.#running;
    if (this.#pending.size > 0) await this.#once();
  }

  /** Ends without another try. */
  abandon(): void {
    this.#closing.abort(new Error('closing'));
    this.#pending.clear();
  }

  async #work(): Promise<void> {
    while (this.#pending.size > 0 && !this.#closing.signal.aborted) {
      const waitMs = (await this.#once()) ? this.#intervalMs : this.#backoffMs();
      if (waitMs > 0) await this.#clock.sleep(waitMs, this.#closing.signal).catch(() => {});
    }
    this.#running = undefined;
  }

  #backoffMs(): number {
    this.#attempts += 1;
    return backoffMs(this.#attempts, retryBaseMs, retryCapMs);
  }

  async #once(): Promise<boolean> {
    this.#sent = new Map(this.#pending);
    this.#pending.clear();
    try {
      await this.#commit([...this.#sent.values()]);
      this.#attempts = 0;
      this.#failing = undefined;
      return true;
    } catch (error) {
      // Counted out, or in the middle of a rebalance: the membership says so itself. What stays ours is told after it, what moves
      // is forgotten with its partition.
      this.#failing = isTidemarkError(error, 'GROUP_MEMBERSHIP_LOST') ? undefined : failureOf(error);
      for (const [key, offset] of this.#sent) if (!this.#pending.has(key)) this.#pending.set(key, offset);
      return false;
    }
  }
}

function failureOf(error: unknown): TidemarkError {
  if (isTidemarkError(error)) return error;
  return new TidemarkError('INVARIANT_BROKEN', `Unexpected failure: ${messageOf(error)}`, { cause: error });
}
