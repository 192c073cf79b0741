import { isTidemarkError, TidemarkError } from '../errors.ts';
import { type CommitGroupOffsets, GroupOffsets, type KafkaDriver } from '../kafka/index.ts';
import { mirrorMetadata } from '../offsets/index.ts';
import { type Clock, withDeadline } from '../platform/index.ts';
import { asTidemarkError, type Degradation } from '../scheduler/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { GroupAssignment } from './groupAssignment.ts';
import type { PipelineSpec } from './optionsSpec.ts';

export interface MirrorSurroundings {
  readonly clock: Clock;
  readonly events: EventHub;
  readonly degradation: Degradation;
  /** Who commits, where a group spreads the partitions: it takes offsets from its members only. */
  readonly groupAssignment: () => GroupAssignment | undefined;
}

/** Between two commits into the group. */
const intervalMs = 1000;
/** Longest wait at a stop for what the group has not heard yet. */
const flushMs = 1000;

/**
 * Copies the positions of the partitions this process holds into the consumer group of the pipeline, so that Kafka's own tools
 * show them (design §3.7). What claims and commits do is what is copied: a reset by an operator fences, and the claim after it
 * names the position it went to, be it lower. Nothing waits for it, nothing starts from it; a group that refuses is
 * told of once, as `degraded: mirror`, and asked again now and then.
 */
export class Mirror {
  readonly #group: GroupOffsets;
  readonly #clock: Clock;
  readonly #unsubscribe: readonly (() => void)[];

  constructor(commit: CommitGroupOffsets, pipeline: string, { clock, events, degradation }: MirrorSurroundings) {
    this.#clock = clock;
    const watched: CommitGroupOffsets = async (offsets) => {
      try {
        await commit(offsets);
        degradation.end('mirror');
      } catch (error) {
        // What another try could mend is the brokers' affair, and told as such where it matters.
        const failure = asTidemarkError(error);
        if (!failure.retriable && !isTidemarkError(error, 'KAFKA_CLOSED')) degradation.begin('mirror', failure);
        throw error;
      }
    };
    const group = new GroupOffsets(watched, mirrorMetadata(pipeline), clock, intervalMs);
    this.#group = group;
    this.#unsubscribe = [
      events.on('partitionClaimed', ({ nextOffset, ...of }) => group.tell(of, nextOffset)),
      events.on('rangeCommitted', ({ range }) => group.tell(range, range.untilOffset)),
      events.on('gapCommitted', ({ range }) => group.tell(range, range.untilOffset)),
      events.on('partitionReleased', (of) => group.forget(of)),
      events.on('partitionFenced', (of) => group.forget(of)),
      events.on('groupMembershipLost', ({ partitions }) => {
        for (const of of partitions) group.forget(of);
      }),
    ];
  }

  /** Tells the group what it has not heard yet, for a second at most; not with `isForced`. Never rejects. */
  async close(isForced: boolean): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (isForced) return this.#group.abandon();
    const late = () => new TidemarkError('KAFKA_REQUEST_FAILED', 'The consumer group did not take the offsets in time');
    await withDeadline(this.#group.flush(), flushMs, this.#clock, late).catch(() => {});
  }
}

/** Whether the positions are copied: not when switched off, in receiver mode, or where the group is what keeps them. */
export function isMirrored({ source, store, pipeline }: PipelineSpec): boolean {
  const { groupId = pipeline } = source;
  const isStore = store?.type === 'kafka' && (store.groupId ?? pipeline) === groupId;
  // What a receiver took off the broker is what its group says: decision 0020.
  return source.mirror && source.mode === 'direct' && !isStore;
}

export function openMirror(
  spec: PipelineSpec,
  driver: KafkaDriver | undefined,
  on: MirrorSurroundings,
): Mirror | undefined {
  if (driver === undefined || !isMirrored(spec)) return undefined;
  const { pipeline } = spec;
  const { groupId = pipeline } = spec.source;
  const commit: CommitGroupOffsets = async (offsets) => {
    const group = on.groupAssignment();
    await (group === undefined ? driver.commitOffsets(groupId, offsets) : group.commitOffsets(offsets));
  };
  return new Mirror(commit, pipeline, on);
}
