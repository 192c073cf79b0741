import type { TidemarkError } from '../../../errors.ts';
import type { TopicPartition } from '../../../model/index.ts';
import { backoffMs, type Clock, newClaimToken, StallMeter } from '../../../platform/index.ts';
import { FirstAssignment, ListenerCalls, MemberCommits, membershipLost, without } from '../../balancing/index.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { GroupMembership, GroupProtocol, MembershipListener, MembershipOptions } from '../../membership.ts';
import type { ConfluentClient } from './client.ts';
import { closedError, libraryFailure } from './failures.ts';
import {
  GroupConsumer,
  type GroupEvents,
  type MembershipTimes,
  membershipSettings,
  membershipTimes,
} from './groupConsumer.ts';
import { PlaceInGroup } from './groupDescription.ts';
import { groupFailure, isFinal } from './groupFailures.ts';
import type { OwnRequests } from './ownRequests.ts';
import { Subscription } from './subscription.ts';

const retryBaseMs = 50;
const retryCapMs = 1_000;

/**
 * A membership by the library's own group protocols. It heartbeats from a thread of its own, so a blocked event loop loses no
 * membership before `max.poll.interval.ms`.
 *
 * Cooperative and consumer: what is revoked is answered when `revoked` is done with it, and the group waits for that.
 * Eager: everything is revoked in every rebalance, before anybody knows what will move. It is answered at once and nobody is
 * told; the next assignment is compared with the last one, and what has moved is revoked then. So a partition that stays
 * is never stopped, and nobody waits for one that moves: the claims of the ledger keep the two owners apart.
 *
 * Phases: `new` → `running` (join) → `leaving` (leave, or a failure that nothing mends) → `left`. From each of them `left`
 * at once when the driver closes.
 */
export class ConfluentMembership implements GroupMembership, GroupEvents {
  readonly #place: PlaceInGroup;
  readonly #isEager: boolean;
  readonly #clock: Clock;
  readonly #groupId: string;
  readonly #times: MembershipTimes;
  readonly #calls: ListenerCalls;
  readonly #first = new FirstAssignment();
  readonly #subscription: Subscription;
  readonly #consumer: GroupConsumer;
  readonly #commits: MemberCommits<GroupConsumer>;
  readonly #onLeft: () => void;
  readonly #end = new AbortController();
  #phase: 'new' | 'running' | 'leaving' | 'left' = 'new';
  #stalls: StallMeter | undefined;
  #assignment: readonly TopicPartition[] = [];
  #memberId: string | undefined;
  #generation = 0;
  /** Events are worked off in their order; some of them wait for the listener. */
  #events: Promise<void> = Promise.resolve();
  #rebalanceSinceMs: number | undefined;
  #heardMs = 0;
  #lastError: TidemarkError | undefined;
  #leaving: Promise<void> | undefined;
  #cancelEagerLoss = () => {};

  constructor(
    client: ConfluentClient,
    requests: OwnRequests,
    protocol: GroupProtocol,
    options: MembershipOptions,
    listener: MembershipListener,
    onLeft: () => void,
  ) {
    this.#isEager = protocol === 'eager';
    this.#clock = client.clock;
    this.#groupId = options.groupId;
    this.#times = membershipTimes(options);
    this.#calls = new ListenerCalls(listener, this.#times.revokeTimeoutMs, this.#clock);
    this.#subscription = new Subscription(client, options.subscription, this.#times.metadataRefreshMs);
    // Of its own, because the library does not tell which member of the group we are.
    const clientId = `${client.options.clientId}-${newClaimToken()}`;
    this.#place = new PlaceInGroup(requests, options.groupId, clientId, protocol, client.clock);
    const settings = membershipSettings(client, clientId, protocol, { ...options, ...this.#times });
    this.#consumer = new GroupConsumer(client, clientId, settings, this.#isEager, this);
    this.#commits = new MemberCommits(
      options.groupId,
      () => (this.#mayCommit ? { as: this.#consumer, held: this.#assignment } : undefined),
      (offsets, consumer) => consumer.commitOffsets(options.groupId, offsets),
    );
    this.#onLeft = onLeft;
  }

  get assignment(): readonly TopicPartition[] {
    return this.#assignment;
  }

  /** The library tells no generation: it is the number of rebalances that this membership has seen. */
  get member(): { readonly memberId: string; readonly generation: number } | undefined {
    return this.#memberId === undefined ? undefined : { memberId: this.#memberId, generation: this.#generation };
  }

  async join(): Promise<void> {
    if (this.#phase !== 'new') throw closedError(`join() of a membership that is ${this.#phase}`);
    this.#phase = 'running';
    this.#stalls = new StallMeter(this.#clock);
    this.#heardMs = this.#clock.monotonic();
    this.#rebalanceSinceMs = this.#heardMs;
    const first = this.#first.wait();
    void this.#start();
    return first;
  }

  async confirm(): Promise<readonly TopicPartition[]> {
    if (this.#memberId === undefined) throw membershipLost(this.#groupId, undefined);
    const member = await this.#place.now();
    if (member === undefined) throw membershipLost(this.#groupId, this.#lastError);
    return member.partitions;
  }

  commitOffsets(offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#commits.commit(offsets);
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave(closedError(`group ${this.#groupId} was left`));
    return this.#leaving;
  }

  /** Ends without a word to the listener: the driver closes. */
  async abandon(reason: TidemarkError): Promise<void> {
    const isOpen = this.#phase !== 'new' && this.#phase !== 'left';
    this.#phase = 'left';
    this.#calls.end();
    this.#end.abort();
    this.#cancelEagerLoss();
    this.#stalls?.stop();
    this.#first.settle(reason);
    this.#memberId = undefined;
    this.#assignment = [];
    this.#onLeft();
    if (isOpen) await this.#consumer.close();
  }

  assigned(partitions: readonly TopicPartition[]): void {
    this.#events = this.#events.then(() => this.#take(partitions));
  }

  revoked(partitions: readonly TopicPartition[]): void {
    this.#events = this.#events.then(() => this.#giveBack(partitions));
  }

  complained(thrown: unknown): void {
    if (this.#phase !== 'running') return;
    const error = groupFailure(thrown, this.#groupId, this.#consumer.fatalText);
    this.#lastError = error;
    if (isFinal(error)) this.#fail(error);
    else this.#calls.add((listener) => listener.failing?.(error));
  }

  async #start(): Promise<void> {
    for (let attempt = 1; this.#phase === 'running'; attempt += 1) {
      try {
        const topics = await this.#subscription.names();
        if (this.#phase !== 'running') return;
        if (attempt === 1) await this.#consumer.connect();
        if (this.#phase !== 'running') return;
        void this.#subscription.watch(topics, this.#end.signal, (names) => this.#subscribe(names));
        void this.#watchEmptyShare();
        return;
      } catch (thrown) {
        if (this.#phase !== 'running') return;
        const error = libraryFailure(thrown, { action: `join group ${this.#groupId}`, groupId: this.#groupId });
        if (!error.retriable) {
          this.#fail(error);
          return;
        }
        this.#calls.add((listener) => listener.failing?.(error));
        await this.#clock.sleep(backoffMs(attempt, retryBaseMs, retryCapMs), this.#end.signal).catch(() => {});
      }
    }
  }

  /**
   * Of its own the library would commit for a member that is none any more, or not yet again, as a stranger to the group, which
   * an empty one takes. In an eager rebalance everything is given back, and what stays ours is not known yet.
   */
  get #mayCommit(): boolean {
    const isMember = this.#memberId !== undefined || this.#assignment.length > 0;
    if (this.#phase !== 'running' || !isMember || this.#consumer.isLost) return false;
    return !this.#isEager || this.#rebalanceSinceMs === undefined;
  }

  #subscribe(names: readonly string[]): void {
    if (this.#phase !== 'running') return;
    if (names.length > 0) this.#consumer.subscribe(names);
    // Nothing to be a member for: the group gives nothing until there is a topic.
    else this.#first.settle();
  }

  async #watchEmptyShare(): Promise<void> {
    const isAwaited = () => this.#phase === 'running' && this.#first.isAwaited;
    if (!(await this.#place.isWithoutShare(isAwaited, this.#end.signal))) return;
    this.#events = this.#events.then(() => (this.#first.isAwaited ? this.#balanced() : undefined));
  }

  async #take(partitions: readonly TopicPartition[]): Promise<void> {
    this.#answer(() => this.#consumer.take(partitions));
    if (this.#phase !== 'running') return;
    this.#cancelEagerLoss();
    const revoked = this.#isEager ? without(this.#assignment, partitions) : [];
    const assigned = without(partitions, this.#assignment);
    this.#assignment = [...without(this.#assignment, revoked), ...assigned];
    if (revoked.length > 0) this.#calls.addRevoked(revoked);
    if (assigned.length > 0) this.#calls.add((listener) => listener.assigned(assigned));
    await this.#balanced();
  }

  async #giveBack(partitions: readonly TopicPartition[]): Promise<void> {
    if (this.#phase !== 'running') {
      this.#answer(() => this.#consumer.giveBack(partitions));
      return;
    }
    this.#rebalanceSinceMs ??= this.#clock.monotonic();
    if (this.#consumer.isLost) {
      this.#lose();
      this.#answer(() => this.#consumer.giveBack(partitions));
      return;
    }
    if (this.#isEager) {
      this.#answer(() => this.#consumer.giveBack(partitions));
      // From here on the library has nothing that it could lose: should the group never come back, we have to see it.
      this.#cancelEagerLoss();
      this.#cancelEagerLoss = this.#clock.after(this.#times.sessionTimeoutMs, () => this.#lose());
      return;
    }
    this.#calls.addRevoked(partitions);
    await this.#calls.settled();
    this.#assignment = without(this.#assignment, partitions);
    this.#answer(() => this.#consumer.giveBack(partitions));
    if (this.#phase === 'running') await this.#balanced();
  }

  /** The library refuses an answer that is out of date: the group has gone on, and another event follows. */
  #answer(give: () => void): void {
    try {
      give();
    } catch (thrown) {
      this.complained(thrown);
    }
  }

  async #balanced(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    const tookMs = Math.round(nowMs - (this.#rebalanceSinceMs ?? nowMs));
    this.#rebalanceSinceMs = undefined;
    this.#heardMs = nowMs;
    this.#lastError = undefined;
    this.#generation += 1;
    this.#memberId ??= await this.#place.id();
    if (this.#phase !== 'running') {
      this.#memberId = undefined;
      return;
    }
    const state = { memberId: this.#memberId, generation: this.#generation, tookMs };
    this.#calls.add((listener) => {
      listener.failing?.(undefined);
      listener.balanced?.(state);
      this.#first.settle();
    });
  }

  #lose(): void {
    this.#cancelEagerLoss();
    if (this.#memberId === undefined) return;
    const partitions = this.#assignment;
    const loss = {
      error: membershipLost(this.#groupId, this.#lastError),
      unconfirmedMs: undefined,
      blockedMs: this.#stalls?.longestSince(this.#heardMs) ?? 0,
    };
    this.#memberId = undefined;
    this.#assignment = [];
    this.#calls.add((listener) => listener.lost(partitions, loss));
  }

  #fail(error: TidemarkError): void {
    // Before the first assignment it is join() that says so.
    this.#leaving ??= this.#leave(error, !this.#first.isAwaited);
  }

  async #leave(reason: TidemarkError, failed = false): Promise<void> {
    const began = this.#phase === 'running';
    if (this.#phase !== 'left') this.#phase = 'leaving';
    this.#first.settle(reason);
    if (began) {
      if (this.#assignment.length > 0) this.#calls.addRevoked(this.#assignment);
      this.#assignment = [];
      await this.#calls.settled();
      if (failed) this.#calls.add((listener) => listener.failed(reason));
      await this.#calls.settled();
    }
    if (this.#phase !== 'left') await this.abandon(reason);
  }
}
