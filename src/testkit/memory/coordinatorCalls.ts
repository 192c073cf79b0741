import type { CommittedOffset, GroupMembership } from '../../kafka/index.ts';
import type { TopicPartition } from '../../model/index.ts';
import type { GroupCoordinator, HeartbeatAnswer } from './groupCoordinator.ts';
import type { JoinRequest } from './groupMember.ts';
import type { GroupOffsets } from './groupOffsets.ts';
import type { KafkaCall, Link } from './link.ts';

export type MemberIdentity = NonNullable<GroupMembership['member']>;

/** What a member asks of its coordinator, over its line to the cluster. */
export class CoordinatorCalls {
  readonly #group: GroupCoordinator;
  readonly #offsets: GroupOffsets;
  readonly #link: Link;

  constructor(group: GroupCoordinator, offsets: GroupOffsets, link: Link) {
    this.#group = group;
    this.#offsets = offsets;
    this.#link = link;
  }

  get groupId(): string {
    return this.#group.groupId;
  }

  join(request: JoinRequest): Promise<string> {
    return this.#call('joinGroup', (signal) => this.#group.join(request, signal));
  }

  heartbeat(memberId: string, held: readonly TopicPartition[]): Promise<HeartbeatAnswer> {
    return this.#call('heartbeat', () => this.#group.heartbeat(memberId, held));
  }

  confirm(memberId: () => string | undefined): Promise<readonly TopicPartition[]> {
    return this.#link.retrying(() => this.#call('confirm', () => this.#group.assignmentOf(memberId() ?? '')));
  }

  commitOffsets(offsets: readonly CommittedOffset[], { memberId, generation }: MemberIdentity): Promise<void> {
    return this.#link.retrying(() =>
      this.#call('commitOffsets', () => {
        this.#group.checkCommitByMember(memberId, generation);
        this.#offsets.commit(this.groupId, offsets);
      }),
    );
  }

  leave(memberId: string): Promise<void> {
    return this.#call('leaveGroup', () => this.#group.leave(memberId));
  }

  /** In a classic group a member has to look for topics and partitions itself, and makes all join again. */
  rebalanceIfOutgrown(): void {
    if (this.#group.hasOutgrown()) this.#group.rebalance();
  }

  /** Past the line: what a process does that ends without a word. */
  drop(memberId: string): void {
    if (!this.#link.isCut) this.#group.leave(memberId);
  }

  #call<T>(call: KafkaCall, work: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
    return this.#link.call(call, { groupId: this.groupId }, work);
  }
}
