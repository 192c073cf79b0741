import type { TidemarkError } from '../errors.ts';
import type {
  CommittedOffset,
  GroupMembership,
  KafkaDriver,
  MembershipListener,
  MembershipLoss,
} from '../kafka/index.ts';
import { type PartitionKey, partitionKey, type TopicPartition } from '../model/index.ts';
import type { StoredOffset } from '../offsets/index.ts';
import { backoffMs, type Clock } from '../platform/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { Assignment } from './assignment.ts';
import type { PipelineSpec } from './optionsSpec.ts';

/** What the group's decisions make this process do. */
export interface AssignmentHandler {
  /** Claims. */
  readonly onAssigned: (partitions: readonly TopicPartition[]) => void;
  /** Ends what is in flight, releases the rows; resolves when done. */
  readonly onRevoked: (partitions: readonly TopicPartition[]) => Promise<void>;
  /** Nothing more may be committed. */
  readonly onLost: (partitions: readonly TopicPartition[], error: TidemarkError) => void;
  /** The membership ended for good. */
  readonly onFailed: (error: TidemarkError) => void;
}

/** A partition that was taken from us while the group says, or said, that it is ours. */
interface Dispute {
  attempts: number;
  claimAgainMs: number;
}

const disputeBaseMs = 250;
const disputeCapMs = 10_000;

/**
 * A consumer group decides. What it gives us is claimed at once, whoever holds the row: the claim is what ends the former
 * owner's work, should it not have noticed.
 *
 * Being fenced while still assigned is ambiguous. Either someone claimed who should not have (a process that woke up after its
 * partitions had moved), and we must claim again or nobody works; or it is we who slept through the rebalance, and claiming
 * again would take the partition from its rightful owner. Both believe the same thing, so the belief decides nothing: the
 * coordinator is asked, after a pause, and only what it confirms is claimed again.
 */
export class GroupAssignment implements Assignment, MembershipListener {
  readonly #handler: AssignmentHandler;
  readonly #clock: Clock;
  readonly #events: EventHub;
  readonly #membership: GroupMembership;
  readonly #ours = new Map<PartitionKey, TopicPartition>();
  readonly #disputes = new Map<PartitionKey, Dispute>();
  #failing: TidemarkError | undefined;

  constructor(
    driver: KafkaDriver,
    spec: Pick<PipelineSpec, 'pipeline' | 'source'>,
    handler: AssignmentHandler,
    clock: Clock,
    events: EventHub,
  ) {
    this.#handler = handler;
    this.#clock = clock;
    this.#events = events;
    const { topics, topicPattern, groupId, group, metadataRefreshMs } = spec.source;
    const subscription = topics === undefined ? { pattern: topicPattern ?? '' } : { topics };
    const options = { ...group, groupId: groupId ?? spec.pipeline, subscription, metadataRefreshMs };
    this.#membership = driver.openMembership(options, this);
  }

  get retrying(): TidemarkError | undefined {
    return this.#failing;
  }

  join(): Promise<void> {
    return this.#membership.join();
  }

  /** As a member; see `GroupMembership.commitOffsets`. */
  commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#membership.commitOffsets(offsets);
  }

  leave(): Promise<void> {
    return this.#membership.leave();
  }

  includes(partition: TopicPartition): boolean {
    return this.#ours.has(partitionKey(partition));
  }

  async claimable(unheld: readonly StoredOffset[]): Promise<readonly StoredOffset[]> {
    const nowMs = this.#clock.monotonic();
    const ours = unheld.filter((row) => this.includes(row));
    const disputed = ours.filter((row) => row.claim !== null && this.#disputes.has(partitionKey(row)));
    const due = disputed.filter((row) => (this.#disputes.get(partitionKey(row))?.claimAgainMs ?? 0) <= nowMs);
    const confirmed = due.length === 0 ? new Set<PartitionKey>() : await this.#confirmed(due);
    return ours.filter((row) => !disputed.includes(row) || confirmed.has(partitionKey(row)));
  }

  fenced(partition: TopicPartition): void {
    const key = partitionKey(partition);
    if (!this.#ours.has(key)) return;
    const attempts = (this.#disputes.get(key)?.attempts ?? 0) + 1;
    this.#disputes.set(key, { attempts, claimAgainMs: this.#pauseEndMs(attempts) });
  }

  committed(partition: TopicPartition): void {
    if (this.#disputes.size > 0) this.#disputes.delete(partitionKey(partition));
  }

  assigned(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#ours.set(partitionKey(partition), partition);
    this.#handler.onAssigned(partitions);
  }

  revoked(partitions: readonly TopicPartition[]): Promise<void> {
    this.#forget(partitions);
    return this.#handler.onRevoked(partitions);
  }

  lost(partitions: readonly TopicPartition[], { error, unconfirmedMs, blockedMs }: MembershipLoss): void {
    this.#forget(partitions);
    this.#handler.onLost(partitions, error);
    this.#events.emit('groupMembershipLost', { partitions, unconfirmedMs, blockedMs, error });
  }

  balanced(state: { readonly memberId: string; readonly generation: number; readonly tookMs: number }): void {
    this.#events.emit('groupBalanced', { ...state, partitions: [...this.#ours.values()] });
  }

  failing(error: TidemarkError | undefined): void {
    this.#failing = error;
  }

  failed(error: TidemarkError): void {
    this.#handler.onFailed(error);
  }

  /** What the coordinator says is ours. No answer is no permission. */
  async #confirmed(due: readonly StoredOffset[]): Promise<ReadonlySet<PartitionKey>> {
    for (const row of due) this.#postpone(partitionKey(row));
    try {
      return new Set((await this.#membership.confirm()).map(partitionKey));
    } catch {
      // Counted out, or cut off from the coordinator: the membership reports both itself.
      return new Set();
    }
  }

  #postpone(key: PartitionKey): void {
    const dispute = this.#disputes.get(key);
    if (dispute === undefined) return;
    dispute.attempts += 1;
    dispute.claimAgainMs = this.#pauseEndMs(dispute.attempts);
  }

  #pauseEndMs(attempts: number): number {
    return this.#clock.monotonic() + backoffMs(attempts, disputeBaseMs, disputeCapMs);
  }

  #forget(partitions: readonly TopicPartition[]): void {
    for (const key of partitions.map(partitionKey)) {
      this.#ours.delete(key);
      this.#disputes.delete(key);
    }
  }
}
