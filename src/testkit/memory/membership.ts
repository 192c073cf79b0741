import type { TidemarkError } from '../../errors.ts';
import { FirstAssignment, ListenerCalls, MemberCommits, membershipLost, without } from '../../kafka/balancing/index.ts';
import type { CommittedOffset, GroupMembership, MembershipListener } from '../../kafka/index.ts';
import { retryBaseMs, retryCapMs } from '../../kafka/reading/index.ts';
import { partitionKey, type TopicPartition } from '../../model/index.ts';
import { backoffMs, withDeadline } from '../../platform/index.ts';
import type { CoordinatorCalls, MemberIdentity } from './coordinatorCalls.ts';
import type { HeartbeatAnswer } from './groupCoordinator.ts';
import { closedError, type Link } from './link.ts';
import { asTidemarkError, isLoss } from './membershipFailures.ts';
import type { ResolvedMembership } from './membershipOptions.ts';

/** A coordinator that does not answer must not hold up who leaves: it finds out by the session. */
const goodbyeMs = 2_000;

/**
 * A membership in a group of the memory cluster, by heartbeats as on a real one: what the group decides is learnt with the next.
 *
 * Phases: `new` → `running` (join) → `leaving` (partitions are given back, heartbeats go on) → `left`. From each of them
 * `left` at once when the driver closes: as if the process had died.
 */
export class MemoryMembership implements GroupMembership {
  readonly #coordinator: CoordinatorCalls;
  readonly #link: Link;
  readonly #options: ResolvedMembership;
  readonly #calls: ListenerCalls;
  readonly #first = new FirstAssignment();
  readonly #commits: MemberCommits<MemberIdentity>;
  #phase: 'new' | 'running' | 'leaving' | 'left' = 'new';
  #member: MemberIdentity | undefined;
  #assignment: readonly TopicPartition[] = [];
  /** What is being given up, and is still ours for the others. */
  readonly #revoking = new Map<string, TopicPartition>();
  /** Generation that was last reported as balanced. */
  #balanced = -1;
  #beganMs = 0;
  #confirmedMs = 0;
  #lookedMs = 0;
  #isFailing = false;
  #leaving: Promise<void> | undefined;
  #endNap = () => {};

  /** Made by `openMembership` of a memory driver. */
  constructor(coordinator: CoordinatorCalls, link: Link, options: ResolvedMembership, listener: MembershipListener) {
    this.#coordinator = coordinator;
    this.#link = link;
    this.#options = options;
    this.#calls = new ListenerCalls(listener, options.revokeTimeoutMs, link.clock);
    this.#commits = new MemberCommits(
      coordinator.groupId,
      () => (this.#phase === 'running' && this.#member ? { as: this.#member, held: this.#held } : undefined),
      (offsets, member) => coordinator.commitOffsets(offsets, member),
    );
  }

  get assignment(): readonly TopicPartition[] {
    return this.#assignment;
  }

  get member(): MemberIdentity | undefined {
    return this.#member;
  }

  async join(): Promise<void> {
    if (this.#phase !== 'new') throw closedError(`join() of a membership that is ${this.#phase}`);
    this.#phase = 'running';
    const first = this.#first.wait();
    void this.#run();
    return first;
  }

  async confirm(): Promise<readonly TopicPartition[]> {
    if (this.#member === undefined) throw membershipLost(this.#coordinator.groupId, undefined);
    // A rebalance would wait for our next heartbeat, and a loss would show with it only.
    this.#endNap();
    try {
      return await this.#coordinator.confirm(() => this.#member?.memberId);
    } catch (error) {
      const failure = asTidemarkError(error);
      throw isLoss(failure) ? membershipLost(this.#coordinator.groupId, failure) : failure;
    }
  }

  commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#commits.commit(offsets);
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave(closedError(`group ${this.#coordinator.groupId} was left`), false);
    return this.#leaving;
  }

  /** Ends without a word to the others: the driver closes. A static member frees its instance id, as clients do (KIP-848). */
  abandon(reason: TidemarkError): void {
    const { memberId } = this.#member ?? {};
    if (memberId !== undefined && this.#options.instanceId !== undefined) this.#coordinator.drop(memberId);
    this.#phase = 'left';
    this.#calls.end();
    this.#endNap();
    this.#first.settle(reason);
    this.#member = undefined;
    this.#assignment = [];
  }

  async #leave(reason: TidemarkError, isFailure: boolean): Promise<void> {
    const began = this.#phase === 'running';
    this.#phase = 'leaving';
    this.#first.settle(reason);
    if (began) {
      const memberId = this.#member?.memberId;
      if (this.#assignment.length > 0) this.#revoke(this.#assignment);
      this.#assignment = [];
      await this.#calls.settled();
      if (memberId !== undefined) await this.#sayGoodbye(memberId);
      if (isFailure) this.#calls.add((listener) => listener.failed(reason));
      await this.#calls.settled();
    }
    this.abandon(reason);
  }

  async #sayGoodbye(memberId: string): Promise<void> {
    const goodbye = this.#coordinator.leave(memberId);
    await withDeadline(goodbye, goodbyeMs, this.#link.clock, () => closedError('no answer')).catch(() => {});
  }

  async #run(): Promise<void> {
    for (let failures = 0; this.#phase === 'running'; ) {
      try {
        await this.#joinGroup();
        failures = 0;
        await this.#stay();
      } catch (thrown) {
        if (this.#phase !== 'running') return;
        failures += 1;
        await this.#meet(asTidemarkError(thrown), failures);
      }
    }
  }

  async #joinGroup(): Promise<void> {
    const { clock, client } = this.#link;
    this.#beganMs = clock.monotonic();
    const { protocol, instanceId, sessionTimeoutMs, rebalanceTimeoutMs, topics } = this.#options;
    const member = { memberId: this.#member?.memberId, instanceId, client };
    const times = { sessionTimeoutMs, rebalanceTimeoutMs };
    const memberId = await this.#coordinator.join({ ...member, ...times, protocol, topics });
    // It was left while the group joined: who waited for an id to say goodbye with had none.
    if (this.#phase !== 'running') {
      await this.#sayGoodbye(memberId);
      return;
    }
    this.#member = { memberId, generation: this.#member?.generation ?? -1 };
    this.#confirmedMs = clock.monotonic();
    this.#lookedMs = clock.monotonic();
    await this.#heartbeat();
  }

  /** Resolves when the group is to be joined again; rejects with what a heartbeat failed with, unless it may pass. */
  async #stay(): Promise<void> {
    for (let misses = 0; this.#phase !== 'left'; ) {
      await this.#nap(misses === 0 ? this.#options.heartbeatIntervalMs : backoffMs(misses, retryBaseMs, retryCapMs));
      if (this.#isLeft) return;
      this.#lookForTopics();
      try {
        await this.#heartbeat();
        misses = 0;
      } catch (thrown) {
        const error = asTidemarkError(thrown);
        // Who is leaving does not join the others any more, and stays a member for as long as it gives back.
        if (error.foreignCode === 'REBALANCE_IN_PROGRESS') {
          if (this.#phase === 'running') return;
        } else if (!error.retriable || this.#isSilent()) throw error;
        else this.#report(error);
        misses += 1;
      }
    }
  }

  async #heartbeat(): Promise<void> {
    const { memberId } = this.#member ?? {};
    if (memberId === undefined) return;
    const { clock } = this.#link;
    const sentMs = clock.monotonic();
    const answer = await this.#coordinator.heartbeat(memberId, this.#held);
    if (this.#member === undefined) return;
    this.#confirmedMs = sentMs;
    this.#report(undefined);
    if (this.#phase === 'running') this.#take(memberId, answer);
  }

  #lookForTopics(): void {
    const nowMs = this.#link.clock.monotonic();
    if (nowMs - this.#lookedMs < this.#options.metadataRefreshMs || this.#link.isCut) return;
    this.#lookedMs = nowMs;
    if (this.#options.protocol !== 'consumer') this.#coordinator.rebalanceIfOutgrown();
  }

  #take(memberId: string, { generation, assignment, isComplete }: HeartbeatAnswer): void {
    // What is being given up comes back only after it has been given up.
    const wanted = assignment.filter((partition) => !this.#revoking.has(partitionKey(partition)));
    const gone = without(this.#assignment, wanted);
    const come = without(wanted, this.#assignment);
    this.#member = { memberId, generation };
    this.#assignment = wanted;
    if (gone.length > 0) this.#revoke(gone);
    if (come.length > 0) this.#calls.add((listener) => listener.assigned(come));
    const isBalanced = isComplete && wanted.length === assignment.length && this.#balanced < generation;
    if (isBalanced) {
      this.#balanced = generation;
      const tookMs = Math.round(this.#link.clock.monotonic() - this.#beganMs);
      this.#calls.add((listener) => listener.balanced?.({ memberId, generation, tookMs }));
    }
    if (this.#first.isAwaited) this.#calls.add(() => this.#first.settle());
  }

  /** Until `revoked` is done with them they are reported as ours, where the group waits for that. */
  #revoke(partitions: readonly TopicPartition[]): void {
    if (this.#options.awaitsRevocation) {
      for (const partition of partitions) this.#revoking.set(partitionKey(partition), partition);
    }
    this.#calls.addRevoked(partitions);
    this.#calls.add(() => {
      for (const partition of partitions) this.#revoking.delete(partitionKey(partition));
      this.#endNap();
    });
  }

  async #meet(error: TidemarkError, failures: number): Promise<void> {
    if (error.foreignCode === 'REBALANCE_IN_PROGRESS') return;
    const isLost = isLoss(error);
    if (isLost || this.#isSilent()) this.#lose(error);
    // Whoever was fenced by its own instance id would fence the other in turn.
    const isFenced = error.foreignCode === 'FENCED_INSTANCE_ID';
    const mayPass = error.retriable || error.foreignCode === 'UNRELEASED_INSTANCE_ID';
    if (isFenced || !(isLost || mayPass)) {
      this.#fail(error);
      return;
    }
    if (!isLost) this.#report(error);
    if (!isLost || failures > 1) await this.#nap(backoffMs(failures, retryBaseMs, retryCapMs));
  }

  /** The coordinator cannot have heard of us for a whole session. */
  #isSilent(): boolean {
    return this.#link.clock.monotonic() - this.#confirmedMs > this.#options.sessionTimeoutMs;
  }

  #lose(error: TidemarkError): void {
    if (this.#member === undefined) return;
    const partitions = this.#assignment;
    const unconfirmedMs = Math.round(this.#link.clock.monotonic() - this.#confirmedMs);
    this.#member = undefined;
    this.#assignment = [];
    this.#balanced = -1;
    const loss = { error: membershipLost(this.#coordinator.groupId, error), unconfirmedMs, blockedMs: 0 };
    this.#calls.add((listener) => listener.lost(partitions, loss));
  }

  #fail(error: TidemarkError): void {
    // Before the first assignment it is join() that says so.
    this.#leaving ??= this.#leave(error, !this.#first.isAwaited);
  }

  #report(error: TidemarkError | undefined): void {
    if (error === undefined && !this.#isFailing) return;
    this.#isFailing = error !== undefined;
    this.#calls.add((listener) => listener.failing?.(error));
  }

  async #nap(ms: number): Promise<void> {
    if (this.#isLeft) return;
    const nap = new AbortController();
    this.#endNap = () => nap.abort();
    await this.#link.clock.sleep(ms, nap.signal).catch(() => {});
  }

  /** What nobody else may have: ours, and what the group waits for. */
  get #held(): readonly TopicPartition[] {
    return [...this.#assignment, ...this.#revoking.values()];
  }

  get #isLeft(): boolean {
    return this.#phase === 'left';
  }
}
