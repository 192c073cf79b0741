import { TidemarkError } from '../../errors.ts';
import { stickyAssignment } from '../../kafka/balancing/index.ts';
import type { GroupDescription, GroupProtocol } from '../../kafka/index.ts';
import { brokerFailure, groupActive } from '../../kafka/reading/index.ts';
import { type PartitionKey, partitionKey, partitionName, type TopicPartition } from '../../model/index.ts';
import type { Clock } from '../../platform/index.ts';
import { describeGroup } from './groupDescription.ts';
import { GroupMember, type JoinRequest } from './groupMember.ts';
import type { GroupState } from './groupState.ts';
import type { Topics } from './topics.ts';

/** Codes of the protocol. */
const illegalGeneration = 22;
const unknownMemberId = 25;
const rebalanceInProgress = 27;
const fencedInstanceId = 82;
const groupSubscribedToTopic = 86;
const unreleasedInstanceId = 111;
const staleMemberEpoch = 113;

/** What a heartbeat is answered with. */
export interface HeartbeatAnswer {
  readonly generation: number;
  /** What the member may hold now; the rest of what it holds it is to give up. */
  readonly assignment: readonly TopicPartition[];
  /** It has all of its share of this generation, and nothing else. */
  readonly isComplete: boolean;
}

/**
 * The coordinator of one group. Whenever members, topics or partitions change it spreads the partitions anew, which is a
 * generation. Under the classic protocols (eager, cooperative) one begins when every member has joined again; under
 * `consumer` (KIP-848) at once.
 *
 * A partition that moves is given to its new owner when the former one has reported, by heartbeat, that it no longer holds
 * it; where the group cannot wait for that (`awaitsRevocation` false), when the generation begins. A member that is not
 * heard of for its session is out, and its partitions are free.
 */
export class GroupCoordinator {
  readonly groupId: string;
  readonly #topics: Topics;
  readonly #clock: Clock;
  readonly #awaitsRevocation: boolean;
  readonly #members = new Map<string, GroupMember>();
  /** Instance ids that are somebody else's by now, by the member that had them. */
  readonly #fenced = new Set<string>();
  /** Topics with their numbers of partitions in this generation. */
  #spread = new Map<string, number>();
  #protocol: GroupProtocol | undefined;
  #generation = 0;
  #isRebalancing = false;
  #cancelDeadline = () => {};
  #memberIds = 0;

  constructor(groupId: string, topics: Topics, clock: Clock, awaitsRevocation: boolean) {
    this.groupId = groupId;
    this.#topics = topics;
    this.#clock = clock;
    this.#awaitsRevocation = awaitsRevocation;
    // The coordinator of a `consumer` group looks at topics itself; in the others the members do.
    topics.onChange(() => {
      if (this.#protocol === 'consumer' && this.hasOutgrown()) this.#begin();
    });
  }

  get state(): GroupState {
    const members = [...this.#members.values()].map(({ memberId, instanceId, client, owned }) => {
      return { memberId, instanceId, client, partitions: [...owned.values()].map(partitionName).sort() };
    });
    const state = members.length === 0 ? 'empty' : this.#isRebalancing ? 'rebalancing' : 'stable';
    return { state, protocol: this.#protocol, generation: this.#generation, members };
  }

  /** Joins, or joins again in a rebalance; resolves with the id when the generation has begun. */
  async join(request: JoinRequest, signal: AbortSignal): Promise<string> {
    if (this.#members.size > 0 && this.#protocol !== request.protocol) throw this.#conflict(request.protocol);
    request.topics(); // throws before anything has changed
    this.#protocol = request.protocol;
    const member = this.#known(request) ?? this.#returning(request);
    if (member !== undefined && !this.#isRebalancing && !this.hasOutgrown()) {
      this.#heard(member);
      return member.memberId;
    }
    const joining = member ?? this.#add(request);
    if (request.protocol === 'consumer') {
      this.#begin();
      return joining.memberId;
    }
    this.rebalance();
    const begun = joining.joined(signal);
    this.#beginIfComplete();
    await begun;
    // The caller gave up waiting: its session runs again, and nobody waits for it.
    if (signal.aborted && this.#members.has(joining.memberId)) this.#heard(joining);
    return joining.memberId;
  }

  /** Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID or, where it must join again, REBALANCE_IN_PROGRESS. */
  heartbeat(memberId: string, held: readonly TopicPartition[]): HeartbeatAnswer {
    const member = this.#require(memberId);
    this.#heard(member);
    // A member that gives something up reports it in a rebalance too: others wait for it.
    const reported = new Set(held.map(partitionKey));
    for (const key of [...member.owned.keys()]) if (!reported.has(key)) member.owned.delete(key);
    if (this.#isRebalancing) throw this.#failure(rebalanceInProgress, 'stay in');
    const taken = new Set<PartitionKey>();
    for (const other of this.#members.values())
      if (other !== member) for (const key of other.owned.keys()) taken.add(key);
    const assignment = member.target.filter((partition) => !taken.has(partitionKey(partition)));
    for (const partition of assignment) member.owned.set(partitionKey(partition), partition);
    member.generation = this.#generation;
    const isComplete = assignment.length === member.target.length && member.owned.size === member.target.length;
    return { generation: this.#generation, assignment, isComplete };
  }

  /** What a member has now. Throws UNKNOWN_MEMBER_ID, and while the group rebalances a retriable error. */
  assignmentOf(memberId: string): readonly TopicPartition[] {
    const member = this.#require(memberId);
    if (this.#isRebalancing) {
      throw new TidemarkError('KAFKA_REQUEST_FAILED', `Group ${this.groupId} is rebalancing`, {
        retriable: true,
        foreignCode: 'REBALANCE_IN_PROGRESS',
      });
    }
    return member.target.filter((partition) => member.owned.has(partitionKey(partition)));
  }

  /** What an operator is told; undefined where nobody has ever joined. */
  get description(): GroupDescription | undefined {
    if (this.#protocol === undefined) return undefined;
    return describeGroup(this.groupId, this.#protocol, this.#isRebalancing, [...this.#members.values()]);
  }

  /** Only members may commit while there are some. Throws GROUP_ACTIVE. */
  checkCommitByStranger(): void {
    if (this.#members.size > 0) throw groupActive(unknownMemberId, this.groupId, 'take offsets from outside');
  }

  /** What members read keeps its offset. Throws GROUP_ACTIVE. */
  checkDeletion(of: TopicPartition): void {
    if ([...this.#members.values()].some((member) => member.topics().includes(of.topic)))
      throw groupActive(groupSubscribedToTopic, this.groupId, `delete the offset of ${partitionName(of)}`, of);
  }

  /**
   * Whether a member may commit; which partitions, the coordinator does not ask. A classic group counts on the generation that
   * began last, `consumer` on the one that the member was told of. Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
   * ILLEGAL_GENERATION or STALE_MEMBER_EPOCH.
   */
  checkCommitByMember(memberId: string, generation: number): void {
    const member = this.#require(memberId, 'commit offsets of');
    const [wanted, refusal] =
      this.#protocol === 'consumer' ? [member.generation, staleMemberEpoch] : [this.#generation, illegalGeneration];
    if (generation !== wanted) throw this.#failure(refusal, 'commit offsets of');
  }

  /** A static member keeps its place until its session is over (KIP-345). */
  leave(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    if (member.instanceId === undefined) this.#remove(member);
    else member.isAway = true;
  }

  /** Takes a member out at once, as an operator does. */
  expel(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member !== undefined) this.#remove(member);
  }

  /** Whether there are topics or partitions that the present generation does not know of. */
  hasOutgrown(): boolean {
    return [...this.#counts()].some(([topic, count]) => (this.#spread.get(topic) ?? 0) < count);
  }

  /** Makes every member of a classic group join again. */
  rebalance(): void {
    if (this.#isRebalancing) return;
    this.#isRebalancing = true;
    const waitMs = Math.max(...[...this.#members.values()].map(({ rebalanceTimeoutMs }) => rebalanceTimeoutMs), 0);
    this.#cancelDeadline = this.#clock.after(waitMs, () => {
      for (const member of [...this.#members.values()]) {
        if (member.isJoining || member.isAway) continue;
        this.#members.delete(member.memberId);
        member.end();
      }
      this.#beginIfComplete();
    });
  }

  #beginIfComplete(): void {
    const members = [...this.#members.values()];
    if (this.#isRebalancing && members.every(({ isJoining, isAway }) => isJoining || isAway)) this.#begin();
  }

  #begin(): void {
    this.#cancelDeadline();
    this.#isRebalancing = false;
    this.#generation += 1;
    this.#spread = this.#counts();
    const members = [...this.#members.values()];
    const shares = stickyAssignment(
      members.map(({ memberId, topics, target, owned }) => {
        // Of two claims the one of the higher generation is believed: what a member has comes before what it waits for.
        const claims =
          owned.size > 0
            ? { owned: [...owned.values()], generation: this.#generation }
            : { owned: target, generation: this.#generation - 1 };
        return { memberId, topics: topics(), ...claims };
      }),
      this.#spread,
    );
    for (const member of members) {
      member.target = shares.get(member.memberId) ?? [];
      const keeps = new Set(member.target.map(partitionKey));
      if (this.#awaitsRevocation) continue;
      for (const key of [...member.owned.keys()]) if (!keeps.has(key)) member.owned.delete(key);
    }
    for (const member of members) {
      member.begin();
      if (!member.isAway) this.#heard(member);
    }
  }

  /** Topics members want, with their numbers of partitions; a topic that is gone keeps its number: who reads it has to speak. */
  #counts(): Map<string, number> {
    const topics = new Set([...this.#members.values()].flatMap((member) => member.topics()));
    const count = (topic: string) => this.#topics.find(topic)?.partitions.length ?? 0;
    return new Map([...topics].map((topic) => [topic, Math.max(count(topic), this.#spread.get(topic) ?? 0)]));
  }

  #known({ memberId }: JoinRequest): GroupMember | undefined {
    if (memberId === undefined) return undefined;
    if (!this.#isRebalancing && this.#protocol !== 'consumer') this.rebalance();
    return this.#require(memberId);
  }

  /** A static member that is back takes the place it had; whoever still uses it is fenced. */
  #returning(request: JoinRequest): GroupMember | undefined {
    const { instanceId } = request;
    if (instanceId === undefined) return undefined;
    const former = [...this.#members.values()].find((member) => member.instanceId === instanceId);
    if (former === undefined) return undefined;
    if (request.protocol === 'consumer' && !former.isAway) throw this.#failure(unreleasedInstanceId, 'join');
    this.#members.delete(former.memberId);
    former.end();
    this.#fenced.add(former.memberId);
    const member = this.#add(request);
    member.target = former.target;
    member.owned.clear();
    for (const [key, partition] of former.owned) member.owned.set(key, partition);
    return member;
  }

  #add(request: JoinRequest): GroupMember {
    this.#memberIds += 1;
    const member = new GroupMember(`${request.client}-${this.#memberIds}`, request);
    this.#members.set(member.memberId, member);
    this.#heard(member);
    return member;
  }

  #heard(member: GroupMember): void {
    member.isAway = false;
    member.expireAfter(this.#clock, () => this.#remove(member));
  }

  #remove(member: GroupMember): void {
    this.#members.delete(member.memberId);
    member.end();
    if (this.#members.size === 0) {
      this.#cancelDeadline();
      this.#isRebalancing = false;
    } else if (this.#protocol === 'consumer') this.#begin();
    else {
      this.rebalance();
      this.#beginIfComplete();
    }
  }

  #require(memberId: string, action = 'stay in'): GroupMember {
    const member = this.#members.get(memberId);
    if (member !== undefined) return member;
    throw this.#failure(this.#fenced.has(memberId) ? fencedInstanceId : unknownMemberId, action);
  }

  #failure(code: number, action: string): TidemarkError {
    return brokerFailure(code, { action: `${action} group ${this.groupId}`, groupId: this.groupId });
  }

  #conflict(protocol: GroupProtocol): TidemarkError {
    const text = `Group ${this.groupId} cannot be joined: its members speak ${this.#protocol}, not ${protocol}`;
    return new TidemarkError('GROUP_PROTOCOL_CONFLICT', text, {
      foreignCode: 'INCONSISTENT_GROUP_PROTOCOL',
      hint: 'Give all processes of the group the same source.group.protocol, or another source.groupId.',
    });
  }
}
