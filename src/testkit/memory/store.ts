import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../../errors.ts';
import type { TopicPartition } from '../../model/index.ts';
import {
  type ClaimOutcome,
  type ClaimRequest,
  type CommittedRange,
  type Control,
  type FirstPosition,
  type HeldClaim,
  type OffsetStore,
  type OwnerStatus,
  type PartitionState,
  type RangeCommit,
  requireAccounted,
  type StoredOffset,
} from '../../offsets/index.ts';
import type { ProcessIdentity } from '../../platform/index.ts';
import type { DatabaseServer, StoreCall } from './databaseServer.ts';
import type { Ledger } from './ledger.ts';

/** The ledger of one pipeline in a memory database, as one process uses it. Made by `MemoryDatabase.store()`. */
export class MemoryStore implements OffsetStore {
  readonly capabilities = { fenced: true, history: true, controls: true } as const;
  readonly #server: DatabaseServer;
  readonly #ledger: Ledger;
  readonly #closing = new AbortController();
  #owner: string | undefined;

  constructor(server: DatabaseServer, pipeline: string) {
    this.#server = server;
    this.#ledger = server.ledger(pipeline);
    setMaxListeners(0, this.#closing.signal); // one for every call that is held
  }

  async open(): Promise<void> {
    await this.#ask('open', () => {});
  }

  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('PIPELINE_STATE', 'The offset store is closed'));
  }

  async registerOwner(identity: ProcessIdentity): Promise<void> {
    await this.#ask('registerOwner', () => this.#ledger.beat(identity));
    this.#owner = identity.instanceId;
  }

  async owners(): Promise<readonly OwnerStatus[]> {
    return this.#ask('owners', () => this.#ledger.owners());
  }

  async read(topics?: readonly string[]): Promise<readonly StoredOffset[]> {
    return this.#ask('read', () => this.#ledger.read(topics));
  }

  async initialise(positions: readonly FirstPosition[]): Promise<void> {
    await this.#ask('initialise', () => this.#ledger.initialise(positions));
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]> {
    const owner = this.#owner;
    if (owner === undefined) {
      throw new TidemarkError('PIPELINE_STATE', 'A claim needs an owner: registerOwner comes first');
    }
    return this.#ask('claim', () => this.#ledger.claim(owner, requests));
  }

  async release(claims: readonly HeldClaim[]): Promise<readonly boolean[]> {
    return this.#ask('release', () => this.#ledger.release(claims));
  }

  async setState(held: HeldClaim, state: PartitionState, reason: string | null): Promise<void> {
    await this.#ask('setState', () => this.#ledger.setState(held, state, reason));
  }

  async swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): Promise<void> {
    await this.#ask('swapTopicId', () => this.#ledger.swapTopicId(held, seenTopicId, topicId));
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    for (const commit of commits) requireAccounted(commit);
    await this.#server.commit('commitGap', this.#client, this.#closing.signal, () => this.#ledger.commit(commits));
  }

  async newestRange(of: TopicPartition): Promise<CommittedRange | undefined> {
    return this.#ask('newestRange', () => {
      const newest = this.#ledger.history(of).at(-1);
      if (newest === undefined) return undefined;
      const { batchTimeMs: _, ...range } = newest;
      return range;
    });
  }

  async controls(): Promise<readonly Control[]> {
    return this.#ask('controls', () => this.#ledger.controls());
  }

  get #client(): string {
    return this.#owner ?? '';
  }

  #ask<T>(call: StoreCall, work: () => T): Promise<T> {
    return this.#server.ask(call, this.#client, this.#closing.signal, work);
  }
}
