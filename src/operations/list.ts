import { isTidemarkError, messageOf, TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { isReceiverTopic } from '../model/index.ts';
import { isAlive, lagOf, type StorePlace } from '../offsets/index.ts';
import { type Clock, systemClock } from '../platform/index.ts';
import { countStates } from './lagSummary.ts';
import { readPositions } from './positions.ts';

/** What progress there is: one pipeline of a store, or one consumer group. */
export interface ListedProgress {
  readonly name: string;
  readonly kind: 'pipeline' | 'group';
  readonly topics: readonly string[];
  readonly partitions: number;
  /** Processes that hold a partition and have a fresh heartbeat, or members of the group. */
  readonly ownersAlive: number;
  /** Offsets, over the partitions where it is known; undefined where none is. */
  readonly lag: bigint | undefined;
  /** Age of the newest commit; without a history, of the newest change. A group does not tell. */
  readonly lastCommitMs: number | undefined;
  /** Partitions by state; of a group its own state. */
  readonly states: Readonly<Record<string, number>>;
  /** Why nothing more is known of it. */
  readonly error: TidemarkError | undefined;
}

export interface ListSource {
  readonly place?: StorePlace | undefined;
  /** Connected. */
  readonly driver?: KafkaDriver | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Pipelines and groups looked at at the same time: each pipeline has connections of its own. */
const lookedAtOnce = 4;

/**
 * The pipelines of a place and the consumer groups of a cluster, by name. Only reads. Rejects where neither can be listed; one that
 * cannot be looked at is listed with its error.
 */
export async function listProgress({
  place,
  driver,
  clock = systemClock,
}: ListSource): Promise<readonly ListedProgress[]> {
  const [pipelines, groups] = await Promise.all([place?.pipelines() ?? [], driver?.listGroups() ?? []]);
  const found = [
    ...pipelines.map((name) => () => listed('pipeline', name, () => pipelineOf(name, place, driver, clock))),
    ...groups
      .toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1))
      .map(
        ({ groupId, state }) =>
          () =>
            listed('group', groupId, () => groupOf(groupId, state, driver)),
      ),
  ];
  return inTurn(found, lookedAtOnce);
}

type Facts = Omit<ListedProgress, 'name' | 'kind' | 'error'>;

const nothing: Facts = {
  ...{ topics: [], partitions: 0, ownersAlive: 0, lag: undefined, lastCommitMs: undefined },
  states: {},
};

async function listed(kind: ListedProgress['kind'], name: string, look: () => Promise<Facts>): Promise<ListedProgress> {
  try {
    return { name, kind, ...(await look()), error: undefined };
  } catch (error) {
    if (!isTidemarkError(error)) throw new TidemarkError('INVARIANT_BROKEN', messageOf(error), { cause: error });
    return { name, kind, ...nothing, error };
  }
}

async function pipelineOf(
  pipeline: string,
  place: StorePlace | undefined,
  driver: KafkaDriver | undefined,
  clock: Clock,
): Promise<Facts> {
  if (place === undefined) return nothing;
  const store = place.store(pipeline);
  try {
    await store.open('look');
    const progress = { pipeline, place: place.name, store, driver, selection: undefined, groupId: undefined };
    const [positions, owners, newest] = await Promise.all([
      readPositions(progress, []),
      store.owners(),
      store.newestRanges(1),
    ]);
    const rows = positions.flatMap(({ row }) => row ?? []);
    const holding = new Set(rows.map(({ owner }) => owner));
    const ages = store.capabilities.history
      ? newest
          .filter(({ kind }) => kind === 'batch' || kind === 'gap')
          .map((range) => clock.now() - range.committedAtMs)
      : rows.map(({ ageMs }) => ageMs);
    return {
      topics: [...new Set(positions.map(({ topic }) => topic))],
      partitions: positions.length,
      ownersAlive: owners.filter((owner) => isAlive(owner) && holding.has(owner.instanceId)).length,
      lag: sumOf(positions.map(({ lag }) => lag)),
      lastCommitMs:
        ages.length === 0
          ? undefined
          : Math.max(
              0,
              ages.reduce((least, age) => Math.min(least, age)),
            ),
      states: countStates(positions),
    };
  } finally {
    await store.close();
  }
}

async function groupOf(groupId: string, state: string, driver: KafkaDriver | undefined): Promise<Facts> {
  if (driver === undefined) return nothing;
  const [committed, { members }] = await Promise.all([driver.committedOffsets(groupId), driver.describeGroup(groupId)]);
  const topics = [...new Set(committed.map(({ topic }) => topic))];
  const present = new Set(await driver.listTopics());
  const described = await driver.describeTopics(
    topics.filter((topic) => present.has(topic) && !isReceiverTopic(topic)),
  );
  const partitions = new Map(described.map(({ topic, partitions: of }) => [topic, of.length]));
  const live = committed.filter(({ topic, partition }) => partition < (partitions.get(topic) ?? 0));
  const bounds = live.length === 0 ? [] : await driver.bounds(live);
  const lags = live.map(({ offset }, index) => {
    const found = bounds[index];
    return found === undefined ? undefined : lagOf(offset, found);
  });
  return {
    ...{ topics, partitions: committed.length, ownersAlive: members.length, lag: sumOf(lags) },
    lastCommitMs: undefined,
    states: { [state]: 1 },
  };
}

function sumOf(lags: readonly (bigint | undefined)[]): bigint | undefined {
  const known = lags.filter((lag) => lag !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, lag) => sum + lag, 0n);
}

/** Runs at most `limit` at the same time; answers in order. */
async function inTurn<T>(work: readonly (() => Promise<T>)[], limit: number): Promise<readonly T[]> {
  const results: T[] = [];
  const left = work.entries();
  const oneByOne = async () => {
    for (const [index, one] of left) results[index] = await one();
  };
  await Promise.all(Array.from({ length: limit }, oneByOne));
  return results;
}
