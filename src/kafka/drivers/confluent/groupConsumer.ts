import type { TopicPartition } from '../../../model/index.ts';
import { withDeadline } from '../../../platform/index.ts';
import type { CommittedOffset } from '../../committedOffset.ts';
import type { GroupProtocol, MembershipOptions } from '../../membership.ts';
import type { ConfluentClient } from './client.ts';
import { type CommitEvent, isAnswerTo, nativeOffsets } from './commitEvent.ts';
import { closedError, libraryFailure, localCodes, timedOut } from './failures.ts';
import { Handle } from './handle.ts';
import type { NativeError, NativeOffset, NativePartition } from './nativeTypes.ts';
import { connectionSettings, type Settings } from './settings.ts';

/** A poll at least so often; the library wants one within `max.poll.interval.ms`. */
const pollAtLeastMs = 100;
/** The end of the log: nothing lies there to be fetched in the moment before the pause. */
const endOfLog = -1;

/** Hears of what the group does. */
export interface GroupEvents {
  assigned(partitions: readonly TopicPartition[]): void;
  revoked(partitions: readonly TopicPartition[]): void;
  complained(error: unknown): void;
}

/**
 * A consumer that is a member of a group and never reads: every partition it is given is paused before a poll could return
 * anything of it, and nothing is ever committed but what it is told to.
 *
 * The group waits for the answer to each of its events, `take` and `giveBack`: until it comes nobody else gets what was
 * revoked, and where it never comes the client cannot be ended.
 */
export class GroupConsumer {
  readonly clientId: string;
  readonly #handle: Handle;
  readonly #client: ConfluentClient;
  readonly #events: GroupEvents;
  readonly #isEager: boolean;
  #hasEnded = false;
  #wake = () => {};
  #commit: { readonly offsets: readonly NativeOffset[]; readonly settle: (error?: unknown) => void } | undefined;
  #lastFatal: string | undefined;

  constructor(client: ConfluentClient, clientId: string, settings: Settings, isEager: boolean, events: GroupEvents) {
    this.clientId = clientId;
    this.#client = client;
    this.#events = events;
    this.#isEager = isEager;
    const rebalanceCallback = (error: NativeError, partitions: readonly NativePartition[]) =>
      this.#onRebalance(error, partitions);
    const all = { ...settings, rebalance_cb: rebalanceCallback, offset_commit_cb: true };
    this.#handle = new Handle(client.library, all, client.clock, () => this.#wake());
    const { consumer } = this.#handle;
    consumer.on('event.error', (error) => events.complained(error));
    consumer.on('offset.commit', (error, offsets) => this.#onCommitted({ error, offsets }));
    consumer.on('event.log', ({ fac, message }) => {
      if (fac === 'FATAL') this.#lastFatal = message;
    });
  }

  /** What the library said about the error that ended the client for good; the error itself has only its number. */
  get fatalText(): string | undefined {
    return this.#lastFatal;
  }

  /** Whether what is assigned may be somebody else's already. */
  get isLost(): boolean {
    return this.#handle.consumer.assignmentLost();
  }

  async connect(): Promise<void> {
    await this.#handle.connect(this.#client.options.connectTimeoutMs);
    void this.#run();
  }

  subscribe(topics: readonly string[]): void {
    this.#handle.consumer.subscribe(topics);
  }

  /** Answers an assignment. */
  take(partitions: readonly TopicPartition[]): void {
    const { consumer } = this.#handle;
    const placed = partitions.map(({ topic, partition }) => ({ topic, partition, offset: endOfLog }));
    if (this.#isEager) consumer.assign(placed);
    else consumer.incrementalAssign(placed);
    if (partitions.length > 0) consumer.pause(partitions);
  }

  /** Answers a revocation. */
  giveBack(partitions: readonly TopicPartition[]): void {
    if (this.#isEager) this.#handle.consumer.unassign();
    else this.#handle.consumer.incrementalUnassign(partitions);
  }

  /**
   * Commits as the member that the library is when it sends them; resolves on the coordinator's answer. One at a time. The
   * library tries again by itself, and one that waits for a coordinator is sent when there is one, a session later at most,
   * whoever has given it up and whoever has the partition then: a group's offset can go back by that, and no claim is broken.
   */
  async commitOffsets(groupId: string, offsets: readonly CommittedOffset[]): Promise<void> {
    const { clock, options } = this.#client;
    const subject = { action: `commit offsets of group ${groupId}`, groupId };
    const [first] = offsets;
    const where = offsets.length === 1 && first ? { topic: first.topic, partition: first.partition } : {};
    const answered = new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown) => (error ? reject(error) : resolve());
      this.#commit = { offsets: nativeOffsets(offsets), settle };
      this.#handle.consumer.commit(this.#commit.offsets);
    });
    try {
      await withDeadline(answered, options.requestTimeoutMs, clock, () =>
        timedOut(subject.action, options.requestTimeoutMs),
      );
    } catch (error) {
      throw libraryFailure(error, { ...subject, ...where });
    } finally {
      this.#commit = undefined;
    }
  }

  /** Leaves the group and ends the client; events that come meanwhile must still be answered. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    this.#commit?.settle(closedError('the membership has ended'));
    this.#wake();
    await this.#handle.close();
  }

  #onCommitted(event: CommitEvent): void {
    const commit = this.#commit;
    if (commit !== undefined && isAnswerTo(commit.offsets, event)) commit.settle(event.error);
  }

  async #run(): Promise<void> {
    while (!this.#hasEnded) {
      let count = 0;
      try {
        count = (await this.#handle.poll(1)).length;
      } catch (error) {
        if (!this.#hasEnded) this.#events.complained(error);
      }
      if (count === 0 && !this.#hasEnded) await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#client.clock.after(pollAtLeastMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #onRebalance(error: NativeError, given: readonly NativePartition[]): void {
    const partitions = given.map(({ topic, partition }) => ({ topic, partition }));
    if (error.code === localCodes.assign) this.#events.assigned(partitions);
    else if (error.code === localCodes.revoke) this.#events.revoked(partitions);
    else this.#events.complained(error);
  }
}

export interface MembershipTimes {
  readonly sessionTimeoutMs: number;
  readonly revokeTimeoutMs: number;
  readonly metadataRefreshMs: number;
}

/** The options with their defaults. */
export function membershipTimes(options: MembershipOptions): MembershipTimes {
  const { sessionTimeoutMs = 45_000, revokeTimeoutMs = 10_000, metadataRefreshMs = 30_000 } = options;
  return { sessionTimeoutMs, revokeTimeoutMs, metadataRefreshMs };
}

/** The library's settings of a membership. */
export function membershipSettings(
  client: ConfluentClient,
  clientId: string,
  protocol: GroupProtocol,
  options: MembershipOptions & MembershipTimes,
): Settings {
  const { groupId, instanceId, sessionTimeoutMs, heartbeatIntervalMs, metadataRefreshMs } = options;
  const classic = {
    'session.timeout.ms': sessionTimeoutMs,
    ...(heartbeatIntervalMs === undefined ? {} : { 'heartbeat.interval.ms': heartbeatIntervalMs }),
    'partition.assignment.strategy': protocol === 'eager' ? 'roundrobin' : 'cooperative-sticky',
  };
  return {
    ...connectionSettings(client.options),
    'client.id': clientId,
    'group.id': groupId,
    ...(instanceId === undefined ? {} : { 'group.instance.id': instanceId }),
    'group.protocol': protocol === 'consumer' ? 'consumer' : 'classic',
    // Under the new protocol the broker decides about these, and the library refuses to be told.
    ...(protocol === 'consumer' ? {} : classic),
    'max.poll.interval.ms': Math.max(300_000, sessionTimeoutMs),
    'enable.auto.commit': false,
    'enable.auto.offset.store': false,
    'auto.offset.reset': 'latest',
    'topic.metadata.refresh.interval.ms': Math.max(10, metadataRefreshMs),
  };
}
