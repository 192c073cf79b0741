import type { TopicPartition } from '../../../../model/index.ts';
import { type Clock, withDeadline } from '../../../../platform/index.ts';
import { protocolConflict } from '../../../balancing/index.ts';
import {
  brokerErrorCodes,
  decodeConsumerAssignment,
  heartbeatRequest,
  type JoinGroupAnswer,
  joinGroupRequest,
  syncGroupRequest,
} from '../../../protocol/index.ts';
import type { CoordinatorLink } from './coordinatorLink.ts';
import { silent } from './membershipFailures.ts';
import { assignmentsOf, type Claims, memberMetadata, readMember, strategyName } from './strategy.ts';
import type { SubscribedTopics } from './subscribedTopics.ts';

export interface GroupTimes {
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** What one rebalance gave us. */
export interface Generation {
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly TopicPartition[];
  /** Monotonic ms when the coordinator was last asked: it has heard of us since. */
  readonly confirmedMs: number;
}

/** The group waits at least so long for a member to notice a rebalance, whatever its session. */
const rebalanceMsMin = 5_000;
/** Beyond what the group itself may take. */
const answerSlackMs = 2_000;
const heartbeatMsMin = 500;

/** The steps of the classic group protocol for one member. Errors are thrown as they come; who calls decides. */
export class GroupMember {
  readonly #groupId: string;
  readonly #link: CoordinatorLink;
  readonly #topics: SubscribedTopics;
  readonly #times: GroupTimes;
  readonly #clock: Clock;
  #memberId = '';
  #generation = -1;
  #subscribed: readonly string[] = [];
  /** What we spread as leader of this generation; undefined in another's. */
  #spread: ReadonlyMap<string, number> | undefined;

  constructor(groupId: string, link: CoordinatorLink, topics: SubscribedTopics, times: GroupTimes, clock: Clock) {
    this.#groupId = groupId;
    this.#link = link;
    this.#topics = topics;
    this.#times = times;
    this.#clock = clock;
  }

  /** Empty until the coordinator gave one. */
  get memberId(): string {
    return this.#memberId;
  }

  /** The coordinator does not know us: the next join is that of a new member. */
  forget(): void {
    this.#memberId = '';
  }

  /** Joins, or joins again as the same member, with the topics as they are now; the leader spreads the partitions. */
  async join(claims: Claims): Promise<Generation> {
    const { sessionTimeoutMs } = this.#times;
    // While we are silent the session runs: better an error in time than an answer when it is over.
    this.#subscribed = await withDeadline(this.#topics.names(), sessionTimeoutMs, this.#clock, () =>
      silent('The brokers do not say which topics there are', sessionTimeoutMs),
    );
    const joined = await this.#joinGroup(memberMetadata(this.#subscribed, claims));
    this.#generation = joined.generation;
    this.#spread = undefined;
    const assignments = joined.leaderId === joined.memberId ? await this.#spreadOver(joined) : [];
    const confirmedMs = this.#clock.monotonic();
    const { assignment } = await this.#link.ask(
      syncGroupRequest({ ...this.#identity(), protocolName: joined.protocolName }, assignments),
      { action: 'get an assignment of', timeoutMs: this.#rebalanceTimeoutMs + answerSlackMs },
    );
    const partitions = decodeConsumerAssignment(assignment);
    return { memberId: joined.memberId, generation: joined.generation, partitions, confirmedMs };
  }

  async heartbeat(): Promise<void> {
    const { heartbeatIntervalMs, sessionTimeoutMs } = this.#times;
    const timeoutMs = Math.max(heartbeatMsMin, heartbeatIntervalMs, sessionTimeoutMs / 3);
    const request = heartbeatRequest(this.#identity());
    await withDeadline(this.#link.ask(request, { action: 'stay in', timeoutMs }), timeoutMs, this.#clock, () =>
      silent(`The coordinator of group ${this.#groupId} does not answer`, timeoutMs),
    );
  }

  /** Whether there are topics or partitions that the present generation does not know of. Partitions are the leader's to notice. */
  async outgrown(): Promise<boolean> {
    const names = await this.#topics.names();
    if (names.some((topic) => !this.#subscribed.includes(topic))) return true;
    if (this.#spread === undefined) return false;
    const now = await this.#topics.partitionsOf([...this.#spread.keys()]);
    return [...this.#spread].some(([topic, count]) => (now.get(topic) ?? 0) > count);
  }

  get #rebalanceTimeoutMs(): number {
    return Math.max(rebalanceMsMin, this.#times.sessionTimeoutMs);
  }

  #identity() {
    return { groupId: this.#groupId, memberId: this.#memberId, generation: this.#generation };
  }

  async #joinGroup(metadata: Buffer): Promise<JoinGroupAnswer> {
    for (;;) {
      const joined = await this.#link.ask(
        joinGroupRequest({
          groupId: this.#groupId,
          memberId: this.#memberId,
          sessionTimeoutMs: this.#times.sessionTimeoutMs,
          rebalanceTimeoutMs: this.#rebalanceTimeoutMs,
          strategy: { name: strategyName, metadata },
        }),
        {
          action: 'join',
          timeoutMs: this.#rebalanceTimeoutMs + answerSlackMs,
          accepted: [brokerErrorCodes.MEMBER_ID_REQUIRED],
        },
      );
      this.#memberId = joined.memberId;
      if (joined.errorCode !== 0) continue;
      // A group with members of KIP-848 takes in a classic one, but has no leader: the coordinator spreads the partitions.
      if (joined.leaderId === '')
        throw protocolConflict(this.#groupId, 'its members speak the consumer protocol (KIP-848)');
      return joined;
    }
  }

  async #spreadOver(joined: JoinGroupAnswer): Promise<{ memberId: string; assignment: Buffer }[]> {
    const members = joined.members.map(({ memberId, metadata }) => readMember(memberId, metadata));
    const topics = [...new Set(members.flatMap((member) => member.topics))];
    this.#spread = await this.#topics.partitionsOf(topics);
    return assignmentsOf(members, this.#spread);
  }
}
