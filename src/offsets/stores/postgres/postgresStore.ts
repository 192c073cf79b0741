import type pg from 'pg';
import { TidemarkError } from '../../../errors.ts';
import { comparePartitions, partitionKey, partitionName, type TopicPartition } from '../../../model/index.ts';
import { type Clock, failpoint, newClaimToken, type ProcessIdentity, systemClock } from '../../../platform/index.ts';
import type { CommittedRange, Control } from '../../ledgerEntries.ts';
import type { NewControl, PositionMove, RangesQuery, SeenRow } from '../../operatorCalls.ts';
import type {
  ClaimOutcome,
  ClaimRequest,
  FirstPosition,
  HeldClaim,
  OffsetStore,
  OwnerStatus,
  PartitionState,
  RangeCommit,
  StoredOffset,
} from '../../store.ts';
import { commitSql } from './commitSql.ts';
import { lookAt, migrate } from './migrate.ts';
import { NewestRanges } from './newestRanges.ts';
import * as operator from './operatorStatements.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';
import { type RequestOptions, StoreRequests } from './requests.ts';
import * as rows from './rows.ts';
import * as statements from './statements.ts';

export interface PostgresStoreOptions {
  readonly connectionString: string;
  /** At most 1000 bytes: it is part of every key. */
  readonly pipeline: string;
  /** Schema of the ledger. Default `tidemark`. */
  readonly schema?: string;
  /** Names this process in pg_stat_activity. */
  readonly instanceId?: string;
  readonly clock?: Clock;
  /** Longest wait for a connection. Default 10 000. */
  readonly connectDeadlineMs?: number;
  /** Longest wait for an answer. Default 10 000. */
  readonly requestDeadlineMs?: number;
}

const pipelineBytesMax = 1000;

/**
 * The ledger in PostgreSQL (docs/guarantees.md). Claims, heartbeats and reads go over a connection of its own, with deadlines and
 * without session state, so that a pooler in transaction mode may stand between.
 */
export class PostgresStore implements OffsetStore {
  readonly capabilities = { fenced: true, history: true, controls: true } as const;
  readonly #pipeline: string;
  readonly #schema: string;
  readonly #ledger: statements.Ledger;
  readonly #connection: RequestOptions;
  readonly #requests: StoreRequests;
  readonly #newest: NewestRanges;
  readonly #closing = new AbortController();
  #owner: string | undefined;
  /** Opened to look at a place where no ledger was ever made. */
  #isEmpty = false;

  constructor(options: PostgresStoreOptions) {
    this.#pipeline = requireShort(options.pipeline);
    this.#schema = options.schema ?? 'tidemark';
    this.#ledger = { s: quoteIdentifier(this.#schema), pipeline: quoteLiteral(this.#pipeline) };
    this.#connection = {
      connectionString: options.connectionString,
      applicationName: `tidemark:${options.instanceId ?? ''}`,
      clock: options.clock ?? systemClock,
      deadlineMs: options.connectDeadlineMs ?? 10_000,
      requestDeadlineMs: options.requestDeadlineMs ?? 10_000,
      signal: this.#closing.signal,
    };
    this.#requests = new StoreRequests(this.#connection);
    this.#newest = new NewestRanges((of) => this.#readNewest(of));
  }

  async open(purpose: 'use' | 'look' = 'use'): Promise<void> {
    if (purpose === 'use') await migrate(this.#connection, this.#schema);
    else this.#isEmpty = (await lookAt(this.#connection, this.#schema)) === 0;
  }

  close(): Promise<void> {
    this.#closing.abort(new TidemarkError('PIPELINE_STATE', 'The offset store is closed'));
    return this.#requests.close();
  }

  /** The statements that end a transaction of the sink: see `commitSql.ts`. */
  commitSql(commits: readonly RangeCommit[]): string {
    return commitSql(this.#schema, this.#pipeline, commits);
  }

  async registerOwner(identity: ProcessIdentity): Promise<void> {
    const isFirst = this.#owner !== identity.instanceId;
    const forget = isFirst ? statements.forgetOwners(this.#ledger) : [];
    await this.#requests.write('Heartbeat', [...statements.beat(this.#ledger, identity), ...forget]);
    this.#owner = identity.instanceId;
  }

  async owners(): Promise<readonly OwnerStatus[]> {
    if (this.#isEmpty) return [];
    const found = await this.#requests.read<rows.OwnerRow>('Reading owners', statements.readOwners(this.#ledger));
    return found.map(rows.ownerStatus);
  }

  async read(topics?: readonly string[]): Promise<readonly StoredOffset[]> {
    if (topics?.length === 0 || this.#isEmpty) return [];
    const select = statements.readOffsets(this.#ledger, topics);
    const found = await this.#requests.read<rows.OffsetRow>('Reading offsets', select);
    return found.map(rows.storedOffset).sort(comparePartitions);
  }

  async initialise(positions: readonly FirstPosition[]): Promise<void> {
    if (positions.length > 0) {
      const insert = statements.insertOffsets(this.#ledger, [...positions].sort(comparePartitions));
      await this.#requests.write('Inserting first positions', insert);
    }
    failpoint('store.afterInitialise');
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]> {
    if (requests.length === 0) return [];
    const owner = this.#requireOwner();
    const withTokens = requests.map((request) => ({ ...request, token: newClaimToken() }));
    const claim = statements.claimOffsets(this.#ledger, owner, [...withTokens].sort(comparePartitions));
    const found = await this.#requests.write<rows.OffsetRow>('Claiming partitions', claim);
    const byPartition = new Map(found.map((row) => [partitionKey(row), rows.storedOffset(row)]));
    return withTokens.map((request) => outcome(byPartition.get(partitionKey(request)), request.token));
  }

  async release(claims: readonly HeldClaim[]): Promise<readonly boolean[]> {
    if (claims.length === 0) return [];
    const release = statements.releaseOffsets(this.#ledger, [...claims].sort(comparePartitions));
    const found = await this.#requests.write<TopicPartition>('Releasing partitions', release);
    const free = new Set(found.map(partitionKey));
    return claims.map((held) => free.has(partitionKey(held)));
  }

  async setState(held: HeldClaim, state: PartitionState, reason: string | null): Promise<void> {
    const change = statements.changeState(this.#ledger, held, state, reason);
    const [row] = await this.#requests.write<rows.OffsetRow>('Setting the state of a partition', change);
    if (row?.claim !== held.claim) throw fenced(held, row?.owner);
  }

  async swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): Promise<void> {
    const swap = statements.swapTopicId(this.#ledger, held, seenTopicId, topicId);
    const [row] = await this.#requests.write<rows.OffsetRow>('Swapping a topic id', swap);
    if (row?.claim !== held.claim) throw fenced(held, row?.owner);
    if (row.topic_id !== topicId) throw otherTopicId(held, seenTopicId, row.topic_id);
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    if (commits.length > 0) await this.#requests.once('Committing ranges', this.commitSql(commits));
  }

  newestRange(of: TopicPartition): Promise<CommittedRange | undefined> {
    return this.#newest.of(of);
  }

  async controls(): Promise<readonly Control[]> {
    if (this.#isEmpty) return [];
    const found = await this.#requests.read<rows.ControlRow>('Reading controls', statements.readControls(this.#ledger));
    return found.map(rows.control);
  }

  async ranges(query: RangesQuery): Promise<readonly CommittedRange[]> {
    return this.#readRanges(operator.readRanges(this.#ledger, query));
  }

  async newestRanges(limit: number, of?: readonly TopicPartition[]): Promise<readonly CommittedRange[]> {
    return this.#readRanges(operator.readNewestRanges(this.#ledger, limit, of));
  }

  async move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]> {
    if (moves.length === 0) return [];
    const move = operator.movePositions(this.#ledger, [...moves].sort(comparePartitions), by);
    return this.#requests.write<TopicPartition & pg.QueryResultRow>('Moving positions', move);
  }

  async remove(seen: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]> {
    if (seen.length === 0) return [];
    const remove = operator.removeRows(this.#ledger, [...seen].sort(comparePartitions), by, reason);
    return this.#requests.write<TopicPartition & pg.QueryResultRow>('Removing rows', remove);
  }

  async interrupt(of: readonly TopicPartition[]): Promise<void> {
    if (of.length === 0) return;
    await this.#requests.write(
      'Interrupting partitions',
      operator.interruptRows(this.#ledger, [...of].sort(comparePartitions)),
    );
  }

  async order(orders: readonly NewControl[], by: string): Promise<readonly Control[]> {
    if (orders.length === 0) return [];
    const given = await this.#requests.write<rows.ControlRow>(
      'Giving orders',
      operator.giveOrders(this.#ledger, orders, by),
    );
    return given.map(rows.control);
  }

  async withdraw(ids: readonly bigint[]): Promise<void> {
    if (ids.length > 0) await this.#requests.write('Ending orders', operator.withdrawOrders(this.#ledger, ids));
  }

  async #readRanges(select: readonly string[]): Promise<readonly CommittedRange[]> {
    if (this.#isEmpty) return [];
    return (await this.#requests.read<rows.RangeRow>('Reading the history', select)).map(rows.committedRange);
  }

  async #readNewest(of: readonly TopicPartition[]): Promise<readonly CommittedRange[]> {
    return this.#readRanges(statements.readNewest(this.#ledger, of));
  }

  #requireOwner(): string {
    if (this.#owner !== undefined) return this.#owner;
    throw new TidemarkError('PIPELINE_STATE', 'A claim needs an owner: registerOwner comes first');
  }
}

function outcome(row: StoredOffset | undefined, token: string): ClaimOutcome {
  if (row === undefined || row.claim !== token) return { claimed: false, row };
  const { topic, partition, ownerEpoch } = row;
  return { claimed: true, held: { topic, partition, claim: token, ownerEpoch }, row };
}

function otherTopicId(held: HeldClaim, seenTopicId: string, found: string): TidemarkError {
  return new TidemarkError(
    'LEDGER_MOVED',
    `The ledger row of ${partitionName(held)} has the topic id ${found}, not ${seenTopicId}`,
    { topic: held.topic, partition: held.partition, hint: 'Nothing was changed. Read the row and decide again.' },
  );
}

function fenced(held: HeldClaim, owner: string | null | undefined): TidemarkError {
  return new TidemarkError(
    'LEDGER_FENCED',
    `The ledger row of ${partitionName(held)} carries another claim than ours: its owner is ${owner ?? 'nobody'}`,
    {
      topic: held.topic,
      partition: held.partition,
      hint: 'Nothing was changed. Another process owns the partition now.',
    },
  );
}

function requireShort(pipeline: string): string {
  const bytes = Buffer.byteLength(pipeline);
  if (bytes > 0 && bytes <= pipelineBytesMax) return pipeline;
  throw new TidemarkError(
    'CONFIG_INVALID',
    `The name of a pipeline has 1 to ${pipelineBytesMax} bytes, this one has ${bytes}`,
    { path: 'pipeline', hint: 'Choose a shorter name.' },
  );
}
