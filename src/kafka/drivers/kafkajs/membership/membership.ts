import type { TidemarkError } from '../../../../errors.ts';
import type { TopicPartition } from '../../../../model/index.ts';
import { backoffMs, type Clock, StallMeter, withDeadline } from '../../../../platform/index.ts';
import { FirstAssignment, ListenerCalls, MemberCommits, membershipLost, without } from '../../../balancing/index.ts';
import type { CommittedOffset } from '../../../committedOffset.ts';
import type { GroupMembership, MembershipListener, MembershipOptions } from '../../../membership.ts';
import { leaveGroupRequest } from '../../../protocol/index.ts';
import type { Cluster } from '../cluster.ts';
import { askCoordinator, commitGroupOffsets } from '../groupOffsets.ts';
import { assignmentAtCoordinator } from './assignmentAtCoordinator.ts';
import { type MembershipTimes, membershipTimes } from './checkOptions.ts';
import { CoordinatorLink, closedError } from './coordinatorLink.ts';
import { type Generation, GroupMember } from './groupMember.ts';
import { asTidemarkError, judgeFailure } from './membershipFailures.ts';
import { type Claims, noClaims } from './strategy.ts';
import { SubscribedTopics } from './subscribedTopics.ts';

/** A coordinator that does not answer must not hold up who leaves: it finds out by the session. */
const goodbyeMs = 2_000;
const retryBaseMs = 50;
const retryCapMs = 1_000;

/**
 * A membership by the eager protocol. One loop joins, then stays by heartbeats until something is to be done; a second
 * one looks for new topics and partitions.
 *
 * Phases: `new` → `running` (join) → `leaving` (leave, or a failure that nothing mends: partitions are given back, and
 * heartbeats go on meanwhile) → `left`. From each of them `left` at once when the driver closes.
 */
export class KafkajsMembership implements GroupMembership {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #groupId: string;
  readonly #times: MembershipTimes;
  readonly #calls: ListenerCalls;
  readonly #first = new FirstAssignment();
  readonly #link: CoordinatorLink;
  readonly #member: GroupMember;
  readonly #commits: MemberCommits<Generation>;
  readonly #onLeft: () => void;
  readonly #end = new AbortController();
  #phase: 'new' | 'running' | 'leaving' | 'left' = 'new';
  #stalls: StallMeter | undefined;
  #current: Generation | undefined;
  #assignment: readonly TopicPartition[] = [];
  #claims: Claims = noClaims;
  /** Monotonic ms: the coordinator has heard of us since then. */
  #confirmedMs = 0;
  #outgrown = false;
  #reported: string | undefined;
  #leaving: Promise<void> | undefined;
  #endNap = () => {};

  /** `onLeft` is called when it has ended. */
  constructor(cluster: Cluster, options: MembershipOptions, listener: MembershipListener, onLeft: () => void) {
    this.#cluster = cluster;
    this.#clock = cluster.clock;
    this.#groupId = options.groupId;
    this.#times = membershipTimes(options);
    this.#calls = new ListenerCalls(listener, this.#times.revokeTimeoutMs, this.#clock);
    this.#link = new CoordinatorLink(cluster, options.groupId);
    const topics = new SubscribedTopics(cluster, options.subscription);
    this.#member = new GroupMember(options.groupId, this.#link, topics, this.#times, this.#clock);
    this.#commits = new MemberCommits(
      options.groupId,
      () => (this.#phase === 'running' && this.#current ? { as: this.#current, held: this.#assignment } : undefined),
      (offsets, member) => commitGroupOffsets(cluster, options.groupId, offsets, member),
    );
    this.#onLeft = onLeft;
  }

  get assignment(): readonly TopicPartition[] {
    return this.#assignment;
  }

  get member(): { readonly memberId: string; readonly generation: number } | undefined {
    if (this.#current === undefined) return undefined;
    return { memberId: this.#current.memberId, generation: this.#current.generation };
  }

  async join(): Promise<void> {
    if (this.#phase !== 'new') throw closedError(`join() of a membership that is ${this.#phase}`);
    this.#phase = 'running';
    this.#stalls = new StallMeter(this.#clock);
    const first = this.#first.wait();
    void this.#run();
    void this.#watchTopics();
    return first;
  }

  async confirm(): Promise<readonly TopicPartition[]> {
    if (this.#current === undefined) throw membershipLost(this.#groupId, undefined);
    // A rebalance would wait for our next heartbeat, and a loss would show with it only.
    this.#endNap();
    const partitions = await assignmentAtCoordinator(this.#cluster, this.#groupId, () => this.#current?.memberId);
    if (partitions === undefined) throw membershipLost(this.#groupId, undefined);
    return partitions;
  }

  commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#commits.commit(offsets);
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave(closedError(`group ${this.#groupId} was left`));
    return this.#leaving;
  }

  /** Ends without a word to anybody: the driver closes. */
  abandon(reason: TidemarkError): void {
    this.#phase = 'left';
    this.#calls.end();
    this.#end.abort();
    this.#endNap();
    this.#link.close(reason);
    this.#stalls?.stop();
    this.#first.settle(reason);
    this.#current = undefined;
    this.#assignment = [];
    this.#onLeft();
  }

  async #leave(reason: TidemarkError, failed = false): Promise<void> {
    const began = this.#phase === 'running';
    this.#phase = 'leaving';
    this.#first.settle(reason);
    if (began) {
      if (this.#assignment.length > 0) this.#calls.addRevoked(this.#assignment);
      this.#assignment = [];
      await this.#calls.settled();
      await this.#sayGoodbye();
      if (failed) this.#calls.add((listener) => listener.failed(reason));
      await this.#calls.settled();
    }
    this.abandon(reason);
  }

  /**
   * Not on the connection of the membership: while a JoinGroup waits there for the others, the broker reads nothing else
   * from it. The id is known since the coordinator gave it, an answer to the join is not needed.
   */
  async #sayGoodbye(): Promise<void> {
    const { memberId } = this.#member;
    if (memberId === '') return;
    const goodbye = askCoordinator(this.#cluster, this.#groupId, leaveGroupRequest(this.#groupId, memberId));
    // What the coordinator says to it changes nothing any more, and without an answer the session ends by itself.
    await withDeadline(goodbye, goodbyeMs, this.#clock, () => closedError('no answer')).catch(() => {});
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (this.#phase === 'running') {
      try {
        const startMs = this.#clock.monotonic();
        this.#outgrown = false;
        const joined = await this.#member.join(this.#claims);
        // leave() came while the group was joining: what it gave us is not ours to begin with.
        if (this.#phase === 'running') this.#take(joined, Math.round(this.#clock.monotonic() - startMs));
        failures = 0;
        await this.#stay();
      } catch (thrown) {
        if (this.#phase !== 'running') return;
        failures += 1;
        await this.#meet(asTidemarkError(thrown), failures);
      }
    }
  }

  /** Resolves when the group is to be joined again; rejects with what a heartbeat failed with, unless it may pass. */
  async #stay(): Promise<void> {
    for (let misses = 0; this.#phase !== 'left'; ) {
      await this.#nap(misses === 0 ? this.#times.heartbeatIntervalMs : backoffMs(misses, retryBaseMs, retryCapMs));
      if (this.#outgrown && this.#phase === 'running') return;
      try {
        const sentMs = this.#clock.monotonic();
        await this.#member.heartbeat();
        this.#confirmedMs = sentMs;
        misses = 0;
        this.#report(undefined);
      } catch (thrown) {
        misses += 1;
        if (!this.#mayPass(asTidemarkError(thrown))) throw thrown;
      }
    }
  }

  #mayPass(error: TidemarkError): boolean {
    const verdict = judgeFailure(error);
    // Who is leaving does not join the others any more, and stays a member for as long as it gives back.
    if (verdict === 'rejoin') return this.#phase === 'leaving';
    if (verdict === 'lost' || verdict === 'final' || this.#isSilent()) return false;
    this.#link.drop(error);
    this.#report(error);
    return true;
  }

  /** What follows from a failed join, or from a heartbeat that does not let us stay. */
  async #meet(error: TidemarkError, failures: number): Promise<void> {
    const verdict = judgeFailure(error);
    if (verdict === 'final') {
      this.#fail(error);
      return;
    }
    if (verdict === 'lost') {
      if (error.foreignCode !== 'ILLEGAL_GENERATION') this.#member.forget();
      this.#lose(error);
    } else if (verdict !== 'rejoin') {
      this.#link.drop(error);
      if (this.#isSilent()) this.#lose(error);
      this.#report(error);
    }
    const atOnce = failures === 1 && verdict !== 'retry';
    if (!atOnce) await this.#nap(backoffMs(failures, retryBaseMs, retryCapMs));
  }

  /** The coordinator cannot have heard of us for a whole session. */
  #isSilent(): boolean {
    return this.#clock.monotonic() - this.#confirmedMs > this.#times.sessionTimeoutMs;
  }

  #take(joined: Generation, tookMs: number): void {
    const revoked = without(this.#assignment, joined.partitions);
    const assigned = without(joined.partitions, this.#assignment);
    const { memberId, generation } = joined;
    this.#current = joined;
    this.#assignment = joined.partitions;
    this.#claims = { generation, owned: joined.partitions };
    this.#confirmedMs = joined.confirmedMs;
    this.#report(undefined);
    if (revoked.length > 0) this.#calls.addRevoked(revoked);
    if (assigned.length > 0) this.#calls.add((listener) => listener.assigned(assigned));
    this.#calls.add((listener) => {
      listener.balanced?.({ memberId, generation, tookMs });
      this.#first.settle();
    });
  }

  /**
   * The claims stay: when nobody took the partitions over, because the brokers were out of reach for all, everybody gets
   * its own back. For the listener they are new ones all the same.
   */
  #lose(error: TidemarkError): void {
    if (this.#current === undefined) return;
    const partitions = this.#assignment;
    const loss = {
      error: membershipLost(this.#groupId, error),
      unconfirmedMs: Math.round(this.#clock.monotonic() - this.#confirmedMs),
      blockedMs: this.#stalls?.longestSince(this.#confirmedMs) ?? 0,
    };
    this.#current = undefined;
    this.#assignment = [];
    this.#calls.add((listener) => listener.lost(partitions, loss));
  }

  #fail(error: TidemarkError): void {
    // Before the first assignment it is join() that says so.
    this.#leaving ??= this.#leave(error, !this.#first.isAwaited);
  }

  #report(error: TidemarkError | undefined): void {
    const what = error === undefined ? undefined : `${error.code} ${error.foreignCode ?? ''}`;
    if (what === this.#reported) return;
    this.#reported = what;
    this.#calls.add((listener) => listener.failing?.(error));
  }

  async #watchTopics(): Promise<void> {
    while (this.#phase === 'running') {
      await this.#clock.sleep(this.#times.metadataRefreshMs, this.#end.signal).catch(() => {});
      if (this.#current === undefined) continue;
      // Brokers out of reach are the heartbeat's to report; here the next look is soon enough.
      this.#outgrown ||= await this.#member.outgrown().catch(() => false);
      if (this.#outgrown) this.#endNap();
    }
  }

  async #nap(ms: number): Promise<void> {
    if (this.#phase === 'left') return;
    const nap = new AbortController();
    this.#endNap = () => nap.abort();
    await this.#clock.sleep(ms, nap.signal).catch(() => {});
  }
}
