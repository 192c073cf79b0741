import type { TidemarkError } from '../errors.ts';
import type { PartitionKey, TopicPartition } from '../model/index.ts';
import { partitionKey } from '../model/index.ts';
import type { HeldClaim } from '../offsets/index.ts';
import type { PlannablePartition } from './batchSource.ts';

/**
 * A partition this process holds, as the scheduler sees it.
 *
 * idle → busy: a range of it was planned. busy → idle: the range ended. idle or busy → parked: failed for good.
 * idle → paused → idle: by an operator; a busy one finishes first. Fenced, lost or released slots leave the scheduler.
 */
export type SlotState = 'idle' | 'busy' | 'paused' | 'parked';

/** An operator's order to pass over offsets. */
export interface SkipOrder {
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  readonly reason: string;
}

export class Slot implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly key: PartitionKey;
  readonly topicId: string;
  held: HeldClaim;
  /** Committed offset. */
  position: bigint;
  /** Where the next range is planned from; ahead of `position` while planned ranges wait or run. */
  plannedUntil: bigint;
  leaderEpoch: number;
  state: SlotState = 'idle';
  error: TidemarkError | undefined;
  pauseReason: string | undefined;
  skips: readonly SkipOrder[] = [];
  /** It is being given up: nothing of it is planned any more, what is in flight ends. */
  isLeaving = false;
  /** Why nothing of it may be committed any more, although the ledger might still take it. */
  lost: TidemarkError | undefined;
  /** The first record at or after an offset that was read. */
  #head: { readonly offset: bigint; readonly timestampMs: number } | undefined;
  readonly #ended: (() => void)[] = [];

  constructor(start: {
    readonly held: HeldClaim;
    readonly position: bigint;
    readonly topicId: string;
    readonly leaderEpoch: number;
  }) {
    this.topic = start.held.topic;
    this.partition = start.held.partition;
    this.key = partitionKey(start.held);
    this.topicId = start.topicId;
    this.held = start.held;
    this.position = start.position;
    this.plannedUntil = start.position;
    this.leaderEpoch = start.leaderEpoch;
  }

  moveTo(position: bigint): void {
    this.position = position;
    if (this.plannedUntil < position) this.plannedUntil = position;
  }

  /** The first record of a range from `offset` on has this timestamp. Of later ranges of a batch nobody wants to know. */
  readHead(offset: bigint, timestampMs: number): void {
    if (offset === this.position) this.#head = { offset, timestampMs };
  }

  /** Timestamp of the first record that is not committed, as far as it was read; -1 where it has none. */
  get headTimestampMs(): number | undefined {
    return this.#head?.offset === this.position ? this.#head.timestampMs : undefined;
  }

  /** Nothing of it is in flight any more; parked stays parked. */
  endRun(): void {
    if (this.state === 'busy') this.state = this.pauseReason === undefined ? 'idle' : 'paused';
    for (const ended of this.#ended.splice(0)) ended();
  }

  /** Resolves when nothing of it is in flight. */
  whenEnded(): Promise<void> {
    if (this.state !== 'busy') return Promise.resolve();
    return new Promise((resolve) => this.#ended.push(resolve));
  }

  /** Planned ranges that did not run, or not to their end, are planned again. */
  forgetPlans(): void {
    this.plannedUntil = this.position;
  }

  /** What a plan needs to know of it. */
  plannable(): PlannablePartition {
    const { topic, partition, plannedUntil: position } = this;
    return { topic, partition, position, untilMax: this.nextSkip(position)?.fromOffset };
  }

  /** The ordered skip that covers or follows an offset, the nearest first. */
  nextSkip(offset: bigint): SkipOrder | undefined {
    let nearest: SkipOrder | undefined;
    for (const skip of this.skips) {
      if (skip.untilOffset > offset && (nearest === undefined || skip.fromOffset < nearest.fromOffset)) nearest = skip;
    }
    return nearest;
  }
}
