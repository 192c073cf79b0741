import { isTidemarkError, TidemarkError } from '../../../errors.ts';
import { partitionKey, type TopicPartition } from '../../../model/index.ts';
import { type Clock, failpoint, type ProcessIdentity } from '../../../platform/index.ts';
import { requireAccounted } from '../../accounting.ts';
import type { CommittedRange, Control } from '../../ledgerEntries.ts';
import type { PositionMove, SeenRow } from '../../operatorCalls.ts';
import type {
  ClaimOutcome,
  ClaimRequest,
  FirstPosition,
  HeldClaim,
  OffsetStore,
  OwnerStatus,
  PartitionState,
  RangeCommit,
  StoreCapabilities,
  StoredOffset,
} from '../../store.ts';
import { readOwners, readRows } from './book.ts';
import { type BookPlace, ChangeLine } from './changeLine.ts';
import { removeRows, resetRows } from './moves.ts';

/**
 * What stores have in common that keep positions and nothing else: claims are compared here, in the process, and nobody
 * else's commit is refused. No history, no orders. A subclass says where the book is kept, and who may open it.
 */
export abstract class UnfencedStore implements OffsetStore {
  readonly capabilities = { fenced: false, history: false, controls: false } as const;
  protected readonly line: ChangeLine;
  readonly #kind: string;
  #owner: string | undefined;

  /** `kind`: for messages, as in `the file store`. */
  constructor(kind: string, place: BookPlace, clock: Clock) {
    this.#kind = kind;
    this.line = new ChangeLine(place, clock);
  }

  abstract open(purpose?: 'use' | 'look'): Promise<void>;
  abstract close(): Promise<void>;

  async registerOwner(identity: ProcessIdentity): Promise<void> {
    await this.line.change((draft, nowMs) => {
      // Nobody else works here: what stands beside us is dead.
      if (this.#owner !== identity.instanceId) draft.owners.clear();
      draft.owners.set(identity.instanceId, { ...identity, seenAtMs: nowMs });
    });
    this.#owner = identity.instanceId;
  }

  owners(): Promise<readonly OwnerStatus[]> {
    return this.line.look(readOwners);
  }

  async read(topics?: readonly string[]): Promise<readonly StoredOffset[]> {
    return this.line.look((book, nowMs) => readRows(book, topics, nowMs));
  }

  async initialise(positions: readonly FirstPosition[]): Promise<void> {
    if (positions.length > 0) await this.line.change((draft) => draft.initialise(positions));
    failpoint('store.afterInitialise');
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]> {
    const owner = this.#owner;
    if (owner === undefined) {
      throw new TidemarkError('PIPELINE_STATE', 'A claim needs an owner: registerOwner comes first');
    }
    if (requests.length === 0) return [];
    return this.#change((draft) => draft.claim(owner, requests));
  }

  async release(claims: readonly HeldClaim[]): Promise<readonly boolean[]> {
    return claims.length === 0 ? [] : this.#change((draft) => draft.release(claims));
  }

  async setState(held: HeldClaim, state: PartitionState, reason: string | null): Promise<void> {
    await this.#change((draft) => draft.setState(held, state, reason));
  }

  async swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): Promise<void> {
    await this.#change((draft) => draft.swapTopicId(held, seenTopicId, topicId));
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    for (const commit of commits) requireAccounted(commit);
    if (commits.length > 0) await this.line.change((draft) => draft.commit(commits));
  }

  async newestRange(_: TopicPartition): Promise<CommittedRange | undefined> {
    return undefined;
  }

  async controls(): Promise<readonly Control[]> {
    return [];
  }

  async ranges(): Promise<readonly CommittedRange[]> {
    return [];
  }

  async newestRanges(): Promise<readonly CommittedRange[]> {
    return [];
  }

  async move(moves: readonly PositionMove[], _by: string): Promise<readonly TopicPartition[]> {
    const resets = moves.filter((move) => move.kind === 'reset');
    if (resets.length < moves.length) throw this.#incapable('history', 'a gap has to be declared in the history');
    return moves.length === 0 ? [] : this.#change((draft) => resetRows(draft, resets));
  }

  async remove(rows: readonly SeenRow[], _by: string, _reason: string): Promise<readonly TopicPartition[]> {
    return rows.length === 0 ? [] : this.#change((draft) => removeRows(draft, rows));
  }

  async interrupt(of: readonly TopicPartition[]): Promise<void> {
    if (of.length === 0) return;
    await this.#change((draft) => {
      for (const one of of) {
        const row = draft.rows.get(partitionKey(one));
        if (row !== undefined) draft.interrupt(row);
      }
    });
  }

  async order(): Promise<readonly Control[]> {
    throw this.#incapable('controls', 'it keeps no orders');
  }

  async withdraw(): Promise<void> {
    throw this.#incapable('controls', 'it keeps no orders');
  }

  /** Whether it happened is no question where doing it again does no harm. */
  async #change<T>(work: Parameters<typeof this.line.change<T>>[0]): Promise<T> {
    try {
      return await this.line.change(work);
    } catch (error) {
      throw isTidemarkError(error, 'COMMIT_IN_DOUBT') ? error.cause : error;
    }
  }

  #incapable(capability: keyof StoreCapabilities, why: string): TidemarkError {
    return new TidemarkError('STORE_INCAPABLE', `The ${this.#kind} cannot do this: ${why} (capability ${capability})`, {
      hint: 'Keep the offsets in PostgreSQL or Redis for that.',
    });
  }
}
