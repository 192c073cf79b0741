import { setMaxListeners } from 'node:events';
import { TidemarkError } from '../../errors.ts';
import { comparePartitions, partitionKey, type TopicPartition } from '../../model/index.ts';
import {
  type ClaimOutcome,
  type ClaimRequest,
  type CommittedRange,
  type Control,
  type FirstPosition,
  type HeldClaim,
  type NewControl,
  type OffsetStore,
  type OwnerStatus,
  type PartitionState,
  type PositionMove,
  type RangeCommit,
  type RangesQuery,
  requireAccounted,
  type SeenRow,
  type StoredOffset,
} from '../../offsets/index.ts';
import type { ProcessIdentity } from '../../platform/index.ts';
import type { DatabaseServer, StoreCall } from './databaseServer.ts';
import type { Ledger } from './ledger.ts';
import type { HistoryRow } from './ledgerCommit.ts';

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
      return newest === undefined ? undefined : withoutBatchTime(newest);
    });
  }

  async controls(): Promise<readonly Control[]> {
    return this.#ask('controls', () => this.#ledger.controls());
  }

  async ranges({ topics, after, limit }: RangesQuery): Promise<readonly CommittedRange[]> {
    return this.#ask('ranges', () => {
      const behind = this.#ledger.ranges().filter((range) => {
        const isWanted = topics?.includes(range.topic) ?? true;
        const order = after === undefined ? 1 : comparePartitions(range, after);
        return isWanted && (order > 0 || (order === 0 && after !== undefined && range.seq > after.seq));
      });
      return behind.slice(0, limit).map(withoutBatchTime);
    });
  }

  async newestRanges(limit: number, of?: readonly TopicPartition[]): Promise<readonly CommittedRange[]> {
    return this.#ask('newestRanges', () => {
      const places = of === undefined ? this.#ledger.places() : new Set(of.map(partitionKey));
      const newest = [...places].flatMap((key) => this.#ledger.historyAt(key).slice(-limit));
      return newest.sort(newestFirst).map(withoutBatchTime);
    });
  }

  async move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]> {
    return this.#ask('move', () => this.#ledger.move(moves, by));
  }

  async remove(rows: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]> {
    return this.#ask('remove', () => this.#ledger.remove(rows, by, reason));
  }

  async interrupt(of: readonly TopicPartition[]): Promise<void> {
    await this.#ask('interrupt', () => this.#ledger.interrupt(of));
  }

  async order(orders: readonly NewControl[], by: string): Promise<readonly Control[]> {
    return this.#ask('order', () => this.#ledger.order(orders, by));
  }

  async withdraw(ids: readonly bigint[]): Promise<void> {
    await this.#ask('withdraw', () => this.#ledger.withdraw(ids));
  }

  get #client(): string {
    return this.#owner ?? '';
  }

  #ask<T>(call: StoreCall, work: () => T): Promise<T> {
    return this.#server.ask(call, this.#client, this.#closing.signal, work);
  }
}

function withoutBatchTime({ batchTimeMs: _, ...range }: HistoryRow): CommittedRange {
  return range;
}

function newestFirst(a: HistoryRow, b: HistoryRow): number {
  return b.committedAtMs - a.committedAtMs || comparePartitions(a, b) || Number(b.seq - a.seq);
}
