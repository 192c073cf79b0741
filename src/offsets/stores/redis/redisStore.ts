import { TidemarkError } from '../../../errors.ts';
import { comparePartitions, type TopicPartition } from '../../../model/index.ts';
import { type Clock, failpoint, newClaimToken, type ProcessIdentity, systemClock } from '../../../platform/index.ts';
import { requireAccounted } from '../../accounting.ts';
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
import { parseAddress, type RedisAddress } from './address.ts';
import { commitScript } from './commitScript.ts';
import { durabilityWarnings } from './durability.ts';
import { StoreKeys } from './keys.ts';
import { commitValues, KeyList, placeOf, rowOf } from './operations.ts';
import { RedisOperators } from './operators.ts';
import { commitRefusal, fenced, otherTopicId } from './refusals.ts';
import { RedisRequests } from './requests.ts';
import { beatScript, changeScript, initialiseScript, openScript, readScript } from './rowScripts.ts';
import * as rows from './rows.ts';
import { Scripts } from './scripts.ts';

export interface RedisStoreOptions {
  /** `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`: docs/stores.md. */
  readonly url: string;
  /** At most 1000 bytes: it is part of every key. */
  readonly pipeline: string;
  /** Names this process in CLIENT LIST. */
  readonly instanceId?: string;
  readonly clock?: Clock;
  /** Longest wait for a connection. Default 10 000. */
  readonly connectDeadlineMs?: number;
  /** Longest wait for an answer. Default 10 000. */
  readonly requestDeadlineMs?: number;
  /** Hears at `open` that the server may lose the ledger. Default: nobody does. */
  readonly onWarning?: (text: string) => void;
}

const pipelineBytesMax = 1000;
/** Version of the layout of the keys that this tidemark writes and reads. */
const layoutVersion = 1n;
/** Owners that hold nothing are forgotten after that: every start adds one. */
const ownersKeptMs = 7 * 24 * 3_600_000;

/**
 * The ledger in Redis (docs/stores.md). Whatever changes something is one script, which looks at everything before it writes: so
 * calls are all or nothing without transactions. Commits are as durable as the append-only file of the server.
 */
export class RedisStore implements OffsetStore {
  readonly capabilities = { fenced: true, history: true, controls: true } as const;
  readonly #address: RedisAddress;
  readonly #keys: StoreKeys;
  readonly #requests: RedisRequests;
  readonly #scripts: Scripts;
  readonly #operators: RedisOperators;
  readonly #onWarning: (text: string) => void;
  #owner: string | undefined;

  constructor(options: RedisStoreOptions) {
    this.#address = parseAddress(options.url);
    this.#keys = new StoreKeys(requireShort(options.pipeline));
    this.#requests = new RedisRequests({
      address: this.#address,
      connectionName: connectionName(options.instanceId),
      clock: options.clock ?? systemClock,
      deadlineMs: options.connectDeadlineMs ?? 10_000,
      requestDeadlineMs: options.requestDeadlineMs ?? 10_000,
    });
    this.#scripts = new Scripts(this.#requests);
    this.#operators = new RedisOperators(this.#keys, this.#scripts);
    this.#onWarning = options.onWarning ?? (() => {});
  }

  async open(purpose: 'use' | 'look' = 'use'): Promise<void> {
    const list = new KeyList(this.#keys.version);
    const args = { version: layoutVersion, create: purpose === 'use' };
    const [, found] = await this.#scripts.run('Opening the ledger', openScript, list, args);
    if (typeof found === 'string' && found !== '') requireKnown(found, this.#address.name);
    if (purpose === 'look') return;
    const { name } = this.#address;
    const warnings = await this.#scripts.command('Opening the ledger', (client) => durabilityWarnings(client, name));
    for (const warning of warnings) this.#onWarning(warning);
  }

  close(): Promise<void> {
    return this.#requests.close();
  }

  async registerOwner(identity: ProcessIdentity): Promise<void> {
    const { instanceId, host, bootId, pid } = identity;
    const list = new KeyList(this.#keys.owners);
    await this.#scripts.run('Heartbeat', beatScript, list, { instanceId, host, bootId, pid });
    if (this.#owner !== instanceId) await this.#forgetOwners();
    this.#owner = instanceId;
  }

  async owners(): Promise<readonly OwnerStatus[]> {
    const list = new KeyList(this.#keys.owners);
    const [, now, found] = await this.#scripts.run('Reading owners', readScript, list, {});
    const owners = [...rows.pairs((found ?? []) as readonly string[])];
    return owners
      .map(([instanceId, text]) => rows.ownerStatus(instanceId, text, now as string))
      .sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  }

  async read(topics?: readonly string[]): Promise<readonly StoredOffset[]> {
    const wanted = topics === undefined ? await this.#operators.topics() : [...new Set(topics)];
    if (wanted.length === 0) return [];
    const list = new KeyList(...wanted.map((topic) => this.#keys.offsets(topic)));
    const [, now, ...hashes] = await this.#scripts.run('Reading offsets', readScript, list, {});
    const found = hashes.flatMap((hash, index) =>
      [...rows.pairs(hash as readonly string[])].map(([partition, text]) =>
        rows.storedOffset(wanted[index] ?? '', Number(partition), text, now as string),
      ),
    );
    return found.sort(comparePartitions);
  }

  async initialise(positions: readonly FirstPosition[]): Promise<void> {
    if (positions.length > 0) {
      const list = new KeyList(this.#keys.topics);
      const args = positions.map(({ nextOffset: next, topicId, ...of }) => ({
        ...placeOf(list, this.#keys, of),
        ...{ next, topicId },
      }));
      await this.#scripts.run('Inserting first positions', initialiseScript, list, args);
    }
    failpoint('store.afterInitialise');
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimOutcome[]> {
    const owner = this.#requireOwner();
    const tokens = requests.map(newClaimToken);
    const after = await this.#change('Claiming partitions', requests, ({ seenClaim }, index) => ({
      when: { claim: seenClaim },
      set: { claim: tokens[index], owner },
      claims: true,
    }));
    return after.map((row, index) => outcome(row, tokens[index]));
  }

  async release(claims: readonly HeldClaim[]): Promise<readonly boolean[]> {
    const after = await this.#change('Releasing partitions', claims, ({ claim }) => ({
      when: { claim },
      set: { claim: null, owner: null },
    }));
    return after.map((row, index) => row?.claim === null && row.ownerEpoch === claims[index]?.ownerEpoch);
  }

  async setState(held: HeldClaim, state: PartitionState, reason: string | null): Promise<void> {
    const set = { state, reason: state === 'running' ? null : reason };
    const change = { when: { claim: held.claim }, set };
    const [row] = await this.#change('Setting the state of a partition', [held], () => change);
    if (row?.claim !== held.claim) throw fenced(held, row);
  }

  async swapTopicId(held: HeldClaim, seenTopicId: string, topicId: string): Promise<void> {
    const change = { when: { claim: held.claim, topicId: seenTopicId }, set: { topicId } };
    const [row] = await this.#change('Swapping a topic id', [held], () => change);
    if (row?.claim !== held.claim) throw fenced(held, row);
    if (row.topicId !== topicId) throw otherTopicId(held, seenTopicId, row.topicId);
  }

  async commitRanges(commits: readonly RangeCommit[]): Promise<void> {
    for (const commit of commits) requireAccounted(commit);
    if (commits.length === 0) return;
    const inOrder = [...commits].sort((a, b) => comparePartitions(a.range, b.range));
    const list = new KeyList(this.#keys.controls);
    const args = inOrder.map((commit) => ({ ...placeOf(list, this.#keys, commit.range), ...commitValues(commit) }));
    const answer = await this.#scripts.runOnce('Committing ranges', commitScript, list, args);
    if (answer[0] !== 'done') throw commitRefusal(inOrder, answer as readonly string[]);
  }

  async newestRange({ topic, partition }: TopicPartition): Promise<CommittedRange | undefined> {
    const key = this.#keys.newest(topic).name;
    const text = await this.#scripts.command('Reading the history', (client) => client.hget(key, String(partition)));
    return text === null ? undefined : rows.committedRange(topic, partition, text);
  }

  controls(): Promise<readonly Control[]> {
    return this.#operators.controls();
  }

  ranges(query: RangesQuery): Promise<readonly CommittedRange[]> {
    return this.#operators.ranges(query);
  }

  newestRanges(limit: number, of?: readonly TopicPartition[]): Promise<readonly CommittedRange[]> {
    return this.#operators.newestRanges(limit, of);
  }

  move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]> {
    return this.#operators.move(moves, by);
  }

  remove(seen: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]> {
    return this.#operators.remove(seen, by, reason);
  }

  interrupt(of: readonly TopicPartition[]): Promise<void> {
    return this.#operators.interrupt(of);
  }

  order(orders: readonly NewControl[], by: string): Promise<readonly Control[]> {
    return this.#operators.order(orders, by);
  }

  withdraw(ids: readonly bigint[]): Promise<void> {
    return this.#operators.withdraw(ids);
  }

  /** Changes each row where it fits `when`; answers the rows as they are then. */
  async #change<T extends TopicPartition>(
    doing: string,
    of: readonly T[],
    change: (one: T, index: number) => object,
  ): Promise<readonly (StoredOffset | undefined)[]> {
    if (of.length === 0) return [];
    const list = new KeyList();
    const args = of.map((one, index) => ({ ...rowOf(list, this.#keys, one), ...change(one, index) }));
    const [, now, ...texts] = (await this.#scripts.run(doing, changeScript, list, args)) as readonly string[];
    return texts.map((text, index) => {
      const place = of[index];
      if (place === undefined || text === '') return undefined;
      return rows.storedOffset(place.topic, place.partition, text, now ?? '0');
    });
  }

  async #forgetOwners(): Promise<void> {
    const old = (await this.owners()).filter(({ heartbeatAgeMs }) => heartbeatAgeMs > ownersKeptMs);
    if (old.length === 0) return;
    const holders = new Set((await this.read()).map(({ owner }) => owner));
    const gone = old.map(({ instanceId }) => instanceId).filter((instanceId) => !holders.has(instanceId));
    const key = this.#keys.owners.name;
    if (gone.length > 0) await this.#scripts.command('Forgetting owners', (client) => client.hdel(key, ...gone));
  }

  #requireOwner(): string {
    if (this.#owner !== undefined) return this.#owner;
    throw new TidemarkError('PIPELINE_STATE', 'A claim needs an owner: registerOwner comes first');
  }
}

function outcome(row: StoredOffset | undefined, token: string | undefined): ClaimOutcome {
  if (row === undefined || token === undefined || row.claim !== token) return { claimed: false, row };
  const { topic, partition, ownerEpoch } = row;
  return { claimed: true, held: { topic, partition, claim: token, ownerEpoch }, row };
}

function requireKnown(found: string, place: string): void {
  if (BigInt(found) <= layoutVersion) return;
  throw new TidemarkError(
    'STORE_SCHEMA_UNSUPPORTED',
    `The ledger in ${place} has version ${found} of the layout, this tidemark knows up to ${layoutVersion}`,
    { hint: 'Nothing was changed. Use the tidemark that wrote it, or a newer one.' },
  );
}

/** Redis refuses blanks and line ends in the name of a connection. */
function connectionName(instanceId = ''): string {
  return `tidemark:${instanceId}`.replaceAll(/[^!-~]/g, '_');
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
