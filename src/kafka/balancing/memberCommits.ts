import { partitionKey, type TopicPartition } from '../../model/index.ts';
import { Turns } from '../../platform/index.ts';
import type { CommittedOffset } from '../committedOffset.ts';
import { commitFailure, membershipLost } from './failures.ts';

/** Who commits: `as` is what the client needs to know of the member, `held` what is its own. */
export interface CommittingMember<M> {
  readonly as: M;
  readonly held: readonly TopicPartition[];
}

/**
 * Commits of one membership, one after the other: two requests at the same time could overtake each other, and the older
 * offset would stand. Who we are, and what is ours, is looked up when a commit has its turn.
 */
export class MemberCommits<M> {
  readonly #groupId: string;
  readonly #member: () => CommittingMember<M> | undefined;
  readonly #send: (offsets: readonly CommittedOffset[], as: M) => Promise<void>;
  readonly #turns = new Turns();

  /** `member` gives undefined while we are none. `send` resolves on the coordinator's answer. */
  constructor(
    groupId: string,
    member: () => CommittingMember<M> | undefined,
    send: (offsets: readonly CommittedOffset[], as: M) => Promise<void>,
  ) {
    this.#groupId = groupId;
    this.#member = member;
    this.#send = send;
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    if (offsets.length > 0) await this.#turns.take(() => this.#commit(offsets));
  }

  async #commit(offsets: readonly CommittedOffset[]): Promise<void> {
    const member = this.#member();
    if (member === undefined) throw membershipLost(this.#groupId, undefined);
    const held = new Set(member.held.map(partitionKey));
    const ours = offsets.filter((committed) => held.has(partitionKey(committed)));
    if (ours.length === 0) return;
    try {
      await this.#send(ours, member.as);
    } catch (failure) {
      throw commitFailure(this.#groupId, failure);
    }
  }
}
