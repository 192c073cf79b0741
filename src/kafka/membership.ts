import type { TidemarkError } from '../errors.ts';
import type { TopicPartition } from '../model/index.ts';
import type { CommittedOffset } from './committedOffset.ts';

/**
 * Who works on which partition, by a Kafka consumer group. No data and no position goes through it: partitions are read
 * by range and positions live in the ledger, whose claims fence whoever works on a partition that has moved. So a
 * membership may be wrong for a while without harm, but it must not be wrong unnoticed.
 *
 * Call order: `join` once, `leave` once (again, or before `join` has resolved, is fine). In between it rejoins by itself,
 * for ever, after everything a retry can mend. The driver's `close` ends it without a call to anybody.
 */
export interface GroupMembership {
  /**
   * Resolves when the group has given us a first assignment, which may be empty; unless it is, `assigned` was called by
   * then. Rejects with a TidemarkError for what no retry mends (`failed` is not called then): credentials, rights, a
   * named topic that does not exist, a group whose members speak another protocol; and with KAFKA_CLOSED when `leave`
   * or the driver's `close` came first.
   */
  join(): Promise<void>;
  /** What is ours as far as this process knows. */
  readonly assignment: readonly TopicPartition[];
  /** Id the coordinator gave us, and its generation (KIP-848: member epoch); undefined while we are not a member. */
  readonly member: { readonly memberId: string; readonly generation: number } | undefined;
  /**
   * Asks the coordinator what is ours now. A process that was asleep or cut off believes in an assignment that is long over; what
   * this answers after it woke up is not. Rejects with GROUP_MEMBERSHIP_LOST when we are not a member of the group (any
   * more), and like every request when the coordinator does not answer. While the group rebalances nothing is anybody's:
   * it is asked again within `requestTimeoutMs`, then the error is retriable.
   */
  confirm(): Promise<readonly TopicPartition[]>;
  /**
   * Commits offsets (next offsets, not last ones) as this member, under its generation; commits take effect in the order of
   * the calls. Resolves on the coordinator's answer. Only partitions that are ours as far as this process knows, those that
   * the group waits for included (`awaitsRevocation`): others are left out, because the broker would take them. No offsets,
   * or none of ours, is no request.
   *
   * Rejects with GROUP_MEMBERSHIP_LOST (retriable: the next commit says more) when we are not a member, from `leave()` on
   * too, when the coordinator counts us out, or a rebalance is under way; else like every request. After an error that is
   * not the coordinator's word some of the offsets may be written, or may be still.
   */
  commitOffsets(offsets: readonly CommittedOffset[]): Promise<void>;
  /** Gives everything back, after `revoked` is done with it, and tells the coordinator. Leaves no handle open. Never rejects. */
  leave(): Promise<void>;
}

/** Called one after another, never at the same time; must not throw. */
export interface MembershipListener {
  /** Partitions that became ours; those that stay are not named again. */
  assigned(partitions: readonly TopicPartition[]): void;
  /**
   * Partitions that stop being ours. With `awaitsRevocation`, and not under `eager`, the group waits for the promise
   * before anyone else gets them, `revokeTimeoutMs` at most; else they may have a new owner already.
   */
  revoked(partitions: readonly TopicPartition[]): Promise<void>;
  /**
   * The membership ended without our doing. No commit may follow for these partitions; we are joining again, and what
   * comes back is `assigned` again.
   */
  lost(partitions: readonly TopicPartition[], loss: MembershipLoss): void;
  /** The group gave out partitions anew: once per generation, after the calls above. */
  balanced?(state: { readonly memberId: string; readonly generation: number; readonly tookMs: number }): void;
  /** Something is being retried, also before `join` has resolved; `undefined` = all is well again. */
  failing?(error: TidemarkError | undefined): void;
  /** Nothing can mend it; `revoked` was called, and we have left. */
  failed(error: TidemarkError): void;
}

export interface MembershipLoss {
  /** GROUP_MEMBERSHIP_LOST, with what the coordinator said as `foreignCode`. */
  readonly error: TidemarkError;
  /** ms since the coordinator last confirmed the membership; undefined where the client library does not tell. */
  readonly unconfirmedMs: number | undefined;
  /** Longest time in ms the event loop stood still since then. */
  readonly blockedMs: number;
}

/**
 * How a group rebalances: `eager` everyone joins anew and gets all partitions anew (the classic protocol); `cooperative`
 * only what moves is given up (KIP-429); `consumer` the coordinator assigns (KIP-848).
 */
export const groupProtocols = ['eager', 'cooperative', 'consumer'] as const;
export type GroupProtocol = (typeof groupProtocols)[number];

export interface MembershipOptions {
  readonly groupId: string;
  /** Topics by name, or a regular expression that whole names must match; topics made later are noticed. */
  readonly subscription: { readonly topics: readonly string[] } | { readonly pattern: string };
  /** Default: the first one of `capabilities.membership.protocols`. */
  readonly protocol?: GroupProtocol | undefined;
  /** `group.instance.id` (KIP-345): a member that comes back within its session gets its partitions back. Default: none. */
  readonly instanceId?: string | undefined;
  /** A member not heard of for so long is out. Default 45 000, Kafka's own. `consumer`: the broker decides. */
  readonly sessionTimeoutMs?: number | undefined;
  /** Default 3 000. `consumer`: the broker decides. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** Longest wait for `revoked`. Default 10 000. */
  readonly revokeTimeoutMs?: number | undefined;
  /** How often new topics and partitions are looked for. Default 30 000. */
  readonly metadataRefreshMs?: number | undefined;
}

/** What the membership of a driver can do; unsafe or impossible combinations are refused at start. */
export interface MembershipCapabilities {
  /** The first one is the default. */
  readonly protocols: readonly GroupProtocol[];
  readonly staticMembership: boolean;
  /**
   * Whether the group waits for `revoked`. Of `cooperative` and `consumer` only: under `eager` a client library has to give
   * everything up before anybody knows what will move, so to wait would mean to stop what stays, and to name it. A driver
   * compares afterwards instead, and what has moved may have its new owner when `revoked` is called.
   */
  readonly awaitsRevocation: boolean;
}
