import { comparePartitions, partitionKey, type TopicPartition } from '../../model/index.ts';

export interface StickyMember {
  readonly memberId: string;
  readonly topics: readonly string[];
  /** What it had, and since which generation: of two members with the same claim the one of the higher generation is believed. */
  readonly owned: readonly TopicPartition[];
  readonly generation: number;
}

/**
 * Spreads partitions over members: every partition of a topic goes to one of those subscribed to it, as evenly as the
 * subscriptions allow (within one partition where all are alike), and as few as possible move. The same input in any
 * order gives the same output.
 *
 * First everybody keeps what it had, then what is nobody's goes to whoever has least, then partitions move from members
 * with too many to members with too few. Where the subscriptions differ, one may have to move through a third member;
 * a shortest way keeps the moves few.
 */
export function stickyAssignment(
  members: readonly StickyMember[],
  partitionsPerTopic: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const holders = [...members]
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    .map((member) => new Holder(member.memberId, new Set(member.topics)));
  const free = keepClaims(members, new Map(holders.map((holder) => [holder.memberId, holder])), partitionsPerTopic);
  giveOut(free, holders);
  while (moveOne(holders)) {}
  return new Map(holders.map((holder) => [holder.memberId, holder.all().sort(comparePartitions)]));
}

class Holder {
  readonly memberId: string;
  readonly topics: ReadonlySet<string>;
  load = 0;
  readonly #kept = new Map<string, number[]>();
  readonly #gained = new Map<string, number[]>();

  constructor(memberId: string, topics: ReadonlySet<string>) {
    this.memberId = memberId;
    this.topics = topics;
  }

  take({ topic, partition }: TopicPartition, kept: boolean): void {
    const place = kept ? this.#kept : this.#gained;
    const partitions = place.get(topic);
    if (partitions === undefined) place.set(topic, [partition]);
    else partitions.push(partition);
    this.load += 1;
  }

  /** Gives up one partition that the other may have: rather one that has moved already, then the one of the highest number. */
  giveTo(other: Holder): TopicPartition | undefined {
    for (const place of [this.#gained, this.#kept]) {
      for (const topic of [...place.keys()].sort().reverse()) {
        if (!other.topics.has(topic)) continue;
        const partition = place.get(topic)?.pop();
        if (partition === undefined) continue;
        this.load -= 1;
        return { topic, partition };
      }
    }
    return undefined;
  }

  canGiveTo(other: Holder): boolean {
    return [this.#gained, this.#kept].some((place) =>
      [...place].some(([topic, partitions]) => partitions.length > 0 && other.topics.has(topic)),
    );
  }

  all(): TopicPartition[] {
    return [this.#gained, this.#kept].flatMap((place) =>
      [...place].flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition }))),
    );
  }
}

/** Lets everybody keep what it rightly claims, and returns what nobody does. */
function keepClaims(
  members: readonly StickyMember[],
  holders: ReadonlyMap<string, Holder>,
  partitionsPerTopic: ReadonlyMap<string, number>,
): TopicPartition[] {
  const claims = members
    .flatMap(({ memberId, generation, owned }) => owned.map((partition) => ({ memberId, generation, partition })))
    .sort((a, b) => b.generation - a.generation || (a.memberId < b.memberId ? -1 : 1));
  const keepers = new Map<string, Holder>();
  for (const { memberId, partition } of claims) {
    const holder = holders.get(memberId);
    const key = partitionKey(partition);
    if (holder?.topics.has(partition.topic) === true && !keepers.has(key)) keepers.set(key, holder);
  }
  const free: TopicPartition[] = [];
  for (const topic of [...partitionsPerTopic.keys()].sort()) {
    for (let partition = 0; partition < (partitionsPerTopic.get(topic) ?? 0); partition += 1) {
      const keeper = keepers.get(partitionKey({ topic, partition }));
      if (keeper === undefined) free.push({ topic, partition });
      else keeper.take({ topic, partition }, true);
    }
  }
  return free;
}

function giveOut(free: readonly TopicPartition[], holders: readonly Holder[]): void {
  for (const partition of free) {
    const candidates = holders.filter(({ topics }) => topics.has(partition.topic));
    const [first] = candidates;
    if (first === undefined) continue;
    candidates
      .reduce((least, candidate) => (candidate.load < least.load ? candidate : least), first)
      .take(partition, false);
  }
}

/**
 * Moves one partition, or one along each step of a way, from the fullest member that can be helped to one with two
 * fewer at least. False when the load is as even as it can be: the sum of its squares falls with every move.
 */
function moveOne(holders: readonly Holder[]): boolean {
  for (const giver of [...holders].sort((a, b) => b.load - a.load)) {
    const way = shortestWay(giver, holders);
    if (way === undefined) continue;
    for (let step = 0; step + 1 < way.length; step += 1) {
      const [from, to] = [way[step], way[step + 1]];
      const partition = to === undefined ? undefined : from?.giveTo(to);
      if (partition !== undefined) to?.take(partition, false);
    }
    return true;
  }
  return false;
}

function shortestWay(giver: Holder, holders: readonly Holder[]): Holder[] | undefined {
  const comesFrom = new Map<Holder, Holder | undefined>([[giver, undefined]]);
  let edge = [giver];
  while (edge.length > 0) {
    const next: Holder[] = [];
    for (const from of edge) {
      for (const to of holders) {
        if (comesFrom.has(to) || !from.canGiveTo(to)) continue;
        comesFrom.set(to, from);
        next.push(to);
      }
    }
    const taker = next
      .filter(({ load }) => load + 2 <= giver.load)
      .reduce<Holder | undefined>((least, to) => (least === undefined || to.load < least.load ? to : least), undefined);
    if (taker !== undefined) return wayTo(taker, comesFrom);
    edge = next;
  }
  return undefined;
}

function wayTo(taker: Holder, comesFrom: ReadonlyMap<Holder, Holder | undefined>): Holder[] {
  const way: Holder[] = [];
  for (let at: Holder | undefined = taker; at !== undefined; at = comesFrom.get(at)) way.unshift(at);
  return way;
}
