import { isTidemarkError, messageOf, TidemarkError } from '../../../errors.ts';
import type { CommittedOffset, KafkaDriver } from '../../../kafka/index.ts';
import {
  comparePartitions,
  type PartitionKey,
  partitionKey,
  partitionName,
  type TopicPartition,
} from '../../../model/index.ts';
import { type Clock, systemClock } from '../../../platform/index.ts';
import type { PositionMove, SeenRow } from '../../operatorCalls.ts';
import type { ClaimOutcome, ClaimRequest, FirstPosition, StoredOffset } from '../../store.ts';
import { type Book, emptyBook, type Row, UnfencedStore } from '../unfenced/index.ts';
import { decodeMetadata, encodeMetadata, type Metadata } from './metadata.ts';
import { OwnClaims } from './ownClaims.ts';
import { TopicIds } from './topicIds.ts';

export interface KafkaGroupStoreOptions {
  /** Connected by the time of the first call; not closed with the store. */
  readonly driver: Pick<KafkaDriver, 'committedOffsets' | 'commitOffsets' | 'deleteOffsets' | 'describeTopics'>;
  readonly groupId: string;
  /** Named in the metadata. Default: the group's id. */
  readonly pipeline?: string;
  /** Partitions without an offset may begin by the options of the pipeline. Default false: NO_START_OFFSET. */
  readonly firstStart?: boolean;
  /**
   * How members of the group commit: its coordinator takes offsets from nobody else while it has members. What it leaves out, because
   * it is not this member's, is not written. Default: from outside.
   */
  readonly commitAsMember?: (offsets: readonly CommittedOffset[]) => Promise<void>;
  readonly clock?: Clock;
}

/**
 * Offsets of a group that nobody has joined expire (offsets.retention.minutes, a week by default), each for itself: those of idle
 * partitions are written again in time.
 */
const rewriteMs = 3_600_000;

/**
 * Positions in a consumer group, where Kafka's own tools show and move them. Each change looks at the group first and changes only
 * what is as it was known; between the look and the commit nothing keeps others out.
 *
 * An offset that somebody else has put there is believed: the claim of the partition ends, and work goes on from it. What
 * has no offset is not taken for new, because offsets expire.
 */
export class KafkaGroupStore extends UnfencedStore {
  readonly #options: KafkaGroupStoreOptions;
  readonly #clock: Clock;
  readonly #claims = new OwnClaims();
  readonly #topicIds: TopicIds;
  /** Topics to ask for. */
  #topics: ReadonlySet<string> | 'all' = new Set();
  #owners: Book['owners'] = new Map();
  /** First positions that a member keeps until it claims them: until then it may not write them. */
  readonly #firsts = new Map<PartitionKey, Row>();
  /** What a mirror has written: it may lie ahead of what was committed. */
  readonly #mirrored = new Set<PartitionKey>();
  #state: 'new' | 'look' | 'use' | 'closed' = 'new';
  #rewriteAtMs: number;

  constructor(options: KafkaGroupStoreOptions) {
    const clock = options.clock ?? systemClock;
    const place = { load: () => this.#load(), save: (after: Book, before: Book) => this.#save(after, before) };
    super(`Kafka group store (group ${options.groupId})`, place, clock);
    this.#options = options;
    this.#clock = clock;
    this.#topicIds = new TopicIds(options.driver);
    this.#rewriteAtMs = clock.monotonic() + rewriteMs;
  }

  async open(purpose: 'use' | 'look' = 'use'): Promise<void> {
    if (this.#state !== 'new') throw new TidemarkError('PIPELINE_STATE', 'The offset store was opened before');
    this.#state = purpose;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    // What waits for a broker ends with the driver.
    void this.line.close();
  }

  override read(topics?: readonly string[]): Promise<readonly StoredOffset[]> {
    if (topics === undefined) this.#topics = 'all';
    else this.#cover(topics);
    return super.read(topics);
  }

  override async initialise(positions: readonly FirstPosition[]): Promise<void> {
    const topics = [...new Set(positions.map(({ topic }) => topic))];
    if (!this.#options.firstStart && positions.length > 0) {
      const known = new Set((await this.read(topics)).map(partitionKey));
      const missing = positions.filter((position) => !known.has(partitionKey(position)));
      if (missing.length > 0) throw this.#noOffset(missing);
    }
    this.#cover(topics);
    await super.initialise(positions);
  }

  override async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]> {
    this.#cover(requests.map(({ topic }) => topic));
    const mirrored = requests.find((request) => this.#mirrored.has(partitionKey(request)));
    if (mirrored !== undefined) throw this.#isMirror(mirrored);
    return super.claim(requests);
  }

  override move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]> {
    this.#cover(moves.map(({ topic }) => topic));
    return super.move(moves, by);
  }

  override remove(rows: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]> {
    this.#cover(rows.map(({ topic }) => topic));
    return super.remove(rows, by, reason);
  }

  override interrupt(of: readonly TopicPartition[]): Promise<void> {
    this.#cover(of.map(({ topic }) => topic));
    return super.interrupt(of);
  }

  #cover(topics: readonly string[]): void {
    if (this.#topics !== 'all') this.#topics = new Set([...this.#topics, ...topics]);
  }

  async #load(): Promise<Book> {
    if (this.#state === 'new' || this.#state === 'closed') {
      throw new TidemarkError('PIPELINE_STATE', `The offset store is ${this.#state === 'new' ? 'not open' : 'closed'}`);
    }
    const { driver, groupId } = this.#options;
    const topics = this.#topics === 'all' ? undefined : [...this.#topics];
    const committed = topics?.length === 0 ? [] : await driver.committedOffsets(groupId, topics);
    const known = new Map(committed.map((one) => [one, decodeMetadata(one.metadata)]));
    const isForeign = (one: CommittedOffset) => known.get(one) === undefined || known.get(one) === 'mirror';
    const topicIds = await this.#topicIds.of(committed.filter(isForeign));
    const rows = new Map<PartitionKey, Row>();
    this.#mirrored.clear();
    for (const one of committed) {
      const key = partitionKey(one);
      const metadata = known.get(one);
      if (metadata === 'mirror') this.#mirrored.add(key);
      this.#firsts.delete(key);
      const facts = metadata === undefined || metadata === 'mirror' ? this.#foreign(topicIds.get(key)) : metadata;
      const { topic, partition, offset: nextOffset } = one;
      rows.set(key, this.#claims.onto({ topic, partition, nextOffset, claim: null, owner: null, ...facts }));
    }
    for (const [key, row] of this.#firsts) rows.set(key, row);
    this.#claims.keepOnly(rows);
    return { ...emptyBook, rows, owners: this.#owners };
  }

  #foreign(topicId = ''): Metadata {
    const first = { leaderEpoch: -1, ownerEpoch: 0n, incarnation: 1n, state: 'running', reason: null } as const;
    return { ...first, topicId, changedAtMs: this.#clock.now() };
  }

  async #save(after: Book, before: Book): Promise<void> {
    if (this.#state !== 'use') {
      throw new TidemarkError('PIPELINE_STATE', 'The offset store is not open to be used');
    }
    const nowMs = this.#clock.monotonic();
    const isDue = nowMs >= this.#rewriteAtMs;
    const written: Row[] = [];
    const kept: Row[] = [];
    for (const [key, row] of after.rows) {
      const isFirst = this.#options.commitAsMember !== undefined && !before.rows.has(key);
      if (isFirst) kept.push(row);
      else if (isChanged(row, before.rows.get(key)) || (isDue && row.claim !== null)) written.push(row);
    }
    const removed = [...before.rows].flatMap(([key, row]) => (after.rows.has(key) ? [] : [row]));
    try {
      await this.#commit(written, removed);
    } catch (error) {
      this.#claims.inDoubt(after, before);
      throw inDoubt(error, this.#options.groupId);
    }
    for (const row of kept) this.#firsts.set(partitionKey(row), row);
    if (isDue) this.#rewriteAtMs = nowMs + rewriteMs;
    this.#claims.saved(after);
    this.#owners = after.owners;
  }

  async #commit(written: readonly Row[], removed: readonly TopicPartition[]): Promise<void> {
    const { driver, groupId, commitAsMember, pipeline = groupId } = this.#options;
    const offsets = written.toSorted(comparePartitions).map((row) => {
      const { topic, partition, nextOffset } = row;
      return { topic, partition, offset: nextOffset, metadata: encodeMetadata(pipeline, row) };
    });
    if (offsets.length > 0) await (commitAsMember?.(offsets) ?? driver.commitOffsets(groupId, offsets));
    if (removed.length > 0) await driver.deleteOffsets(groupId, removed);
  }

  #noOffset(missing: readonly TopicPartition[]): TidemarkError {
    const [first] = missing;
    const names = missing.slice(0, 5).map(partitionName).join(', ');
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    return new TidemarkError(
      'NO_START_OFFSET',
      `Consumer group ${this.#options.groupId} has no offset for ${names}${more}: they are new, or what was committed has expired`,
      {
        ...(first === undefined ? {} : { topic: first.topic, partition: first.partition }),
        path: 'store.firstStart',
        hint: 'If nothing was ever processed of them, start once with --first-start (store.firstStart: true), and they begin by the options of source; otherwise write their offsets into the group first.',
      },
    );
  }

  #isMirror({ topic, partition }: TopicPartition): TidemarkError {
    const place = partitionName({ topic, partition });
    return new TidemarkError(
      'CONFIG_INVALID',
      `The offset of ${place} in consumer group ${this.#options.groupId} is the mirror of a ledger that lives elsewhere: it may lie ahead of what was committed`,
      {
        path: 'store.groupId',
        topic,
        partition,
        hint: 'Name another group, or reset the partition in this one to the offset it is to go on from.',
      },
    );
  }
}

/** What is written down of a row. */
function isChanged(row: Row, before: Row | undefined): boolean {
  if (before === undefined || row.nextOffset !== before.nextOffset) return true;
  const fields = ['topicId', 'leaderEpoch', 'ownerEpoch', 'incarnation', 'state', 'reason'] as const;
  return fields.some((field) => row[field] !== before[field]);
}

/** A refusal is the coordinator's word: nothing was written. After anything that a repetition could mend, some of it may be. */
function inDoubt(error: unknown, groupId: string): unknown {
  if (!isTidemarkError(error) || !error.retriable || error.code === 'GROUP_MEMBERSHIP_LOST') return error;
  return new TidemarkError(
    'COMMIT_IN_DOUBT',
    `Consumer group ${groupId} did not answer the commit, whether it happened is unknown: ${messageOf(error)}`,
    { cause: error, hint: 'What the group has then is the truth.' },
  );
}
