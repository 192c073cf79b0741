import type { GroupProtocol } from '../../kafka/index.ts';
import type { PartitionKey, TopicPartition } from '../../model/index.ts';
import type { Clock } from '../../platform/index.ts';

/** What a member tells when it joins. */
export interface JoinRequest {
  /** The id it had in the group, if it was in it. */
  readonly memberId: string | undefined;
  readonly instanceId: string | undefined;
  readonly client: string;
  readonly protocol: GroupProtocol;
  /** Names of the topics it wants, as they are now. */
  readonly topics: () => readonly string[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** A member as the coordinator has it. */
export class GroupMember {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  readonly client: string;
  readonly topics: () => readonly string[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Its share of the generation. */
  target: readonly TopicPartition[] = [];
  /** What nobody else may have, because it was given to the member and is not known to have been given up. */
  readonly owned = new Map<PartitionKey, TopicPartition>();
  /** The generation it was told of last: the one it commits under. */
  generation = -1;
  /** A static member that has left and may come back. */
  isAway = false;
  #waiting: (() => void) | undefined;
  #cancelSession = () => {};

  constructor(memberId: string, request: JoinRequest) {
    this.memberId = memberId;
    this.instanceId = request.instanceId;
    this.client = request.client;
    this.topics = request.topics;
    this.sessionTimeoutMs = request.sessionTimeoutMs;
    this.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
  }

  /** Has joined the generation to come, and waits for it. */
  get isJoining(): boolean {
    return this.#waiting !== undefined;
  }

  /** Resolves when the generation begins, or when the member is no more. While it waits its session does not run. */
  joined(signal: AbortSignal): Promise<void> {
    this.#cancelSession();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** The generation has begun. */
  begin(): void {
    this.#waiting?.();
  }

  end(): void {
    this.#cancelSession();
    this.#waiting?.();
  }

  /** Begins the session anew. */
  expireAfter(clock: Clock, onExpired: () => void): void {
    this.#cancelSession();
    this.#cancelSession = clock.after(this.sessionTimeoutMs, onExpired);
  }
}
