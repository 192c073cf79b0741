import { TidemarkError } from '../../../errors.ts';
import { comparePartitions, type TopicPartition } from '../../../model/index.ts';
import { newClaimToken } from '../../../platform/index.ts';
import type { CommittedRange, Control } from '../../ledgerEntries.ts';
import type { NewControl, OperatorCalls, PositionMove, RangesQuery, SeenRow } from '../../operatorCalls.ts';
import type { StoreKeys } from './keys.ts';
import { KeyList, moveValues, orderValues, placeOf, rowOf, seenValues } from './operations.ts';
import { historyScript, moveScript, orderScript, removeScript } from './operatorScripts.ts';
import { passed } from './refusals.ts';
import { changeScript } from './rowScripts.ts';
import * as rows from './rows.ts';
import type { Scripts } from './scripts.ts';

/** Histories that one script reads. */
const historiesPerRequest = 200;
/** Attempts at orders while other processes add topics. */
const orderAttemptsMax = 10;

/** What operators do to the ledger of one pipeline. */
export class RedisOperators implements OperatorCalls {
  readonly #keys: StoreKeys;
  readonly #scripts: Scripts;

  constructor(keys: StoreKeys, scripts: Scripts) {
    this.#keys = keys;
    this.#scripts = scripts;
  }

  async ranges({ topics, after, limit }: RangesQuery): Promise<readonly CommittedRange[]> {
    const all = await this.#places(topics);
    const places = after === undefined ? all : all.filter((place) => comparePartitions(place, after) >= 0);
    const above = (place: TopicPartition) =>
      after !== undefined && comparePartitions(place, after) === 0 ? after.seq : 0n;
    const found: CommittedRange[] = [];
    for (let first = 0; first < places.length && found.length < limit; first += historiesPerRequest) {
      const some = places.slice(first, first + historiesPerRequest);
      found.push(...(await this.#history(some, limit - found.length, above)));
    }
    return found;
  }

  async newestRanges(limit: number, of?: readonly TopicPartition[]): Promise<readonly CommittedRange[]> {
    const places = of ?? (await this.#places(undefined));
    const found: CommittedRange[] = [];
    for (let first = 0; first < places.length && limit > 0; first += historiesPerRequest) {
      found.push(...(await this.#history(places.slice(first, first + historiesPerRequest), limit)));
    }
    return found.sort(newestFirst);
  }

  async move(moves: readonly PositionMove[], by: string): Promise<readonly TopicPartition[]> {
    if (moves.length === 0) return [];
    const list = new KeyList(this.#keys.topics, this.#keys.controls);
    const args = { by, moves: moves.map((move) => ({ ...placeOf(list, this.#keys, move), ...moveValues(move) })) };
    return changed(moves, await this.#scripts.run('Moving positions', moveScript, list, args));
  }

  async remove(seen: readonly SeenRow[], by: string, reason: string): Promise<readonly TopicPartition[]> {
    if (seen.length === 0) return [];
    const list = new KeyList(this.#keys.controls);
    const wanted = seen.map((row) => ({ ...placeOf(list, this.#keys, row), seen: seenValues(row) }));
    return changed(seen, await this.#scripts.run('Removing rows', removeScript, list, { by, reason, rows: wanted }));
  }

  async interrupt(of: readonly TopicPartition[]): Promise<void> {
    if (of.length === 0) return;
    const list = new KeyList();
    const args = of.map((one) => ({ ...rowOf(list, this.#keys, one), when: {}, set: {}, raises: true }));
    await this.#scripts.run('Interrupting partitions', changeScript, list, args);
  }

  async order(orders: readonly NewControl[], by: string): Promise<readonly Control[]> {
    if (orders.length === 0) return [];
    const token = newClaimToken();
    for (let attempt = 1; attempt <= orderAttemptsMax; attempt += 1) {
      const topics = await this.topics();
      const list = new KeyList(this.#keys.topics, this.#keys.controls, this.#keys.lastControl);
      for (const topic of topics) list.numberOf(this.#keys.offsets(topic));
      const args = { topics, orders: orders.map(orderValues), by, token };
      const [word, ...found] = await this.#scripts.run('Giving orders', orderScript, list, args);
      if (word === 'done') return found.map((text) => rows.control(text as string)).sort(byId);
      const order = orders[Number(found[0]) - 1];
      if (word === 'passed' && order?.topic != null && order.partition !== null) {
        const of = { topic: order.topic, partition: order.partition };
        throw passed(of, found[1] as string, order.fromOffset);
      }
    }
    throw new TidemarkError('STORE_REQUEST_FAILED', 'Giving orders: topics were added all the time', {
      retriable: true,
    });
  }

  async withdraw(ids: readonly bigint[]): Promise<void> {
    if (ids.length === 0) return;
    const key = this.#keys.controls.name;
    await this.#scripts.command('Withdrawing orders', (client) => client.hdel(key, ...ids.map(String)));
  }

  async controls(): Promise<readonly Control[]> {
    const key = this.#keys.controls.name;
    const found = await this.#scripts.command('Reading orders', (client) => client.hvals(key));
    return found.map(rows.control).sort(byId);
  }

  /** Every topic that ever had a row. */
  topics(): Promise<string[]> {
    const key = this.#keys.topics.name;
    return this.#scripts.command('Reading topics', (client) => client.smembers(key));
  }

  /** Every partition that has a history, in order. */
  async #places(topics: readonly string[] | undefined): Promise<readonly TopicPartition[]> {
    const wanted = topics === undefined ? await this.topics() : [...new Set(topics)];
    const found = await this.#scripts.command('Reading the history', (client) =>
      Promise.all(wanted.map((topic) => client.hkeys(this.#keys.newest(topic).name))),
    );
    const places = found.flatMap((partitions, index) =>
      partitions.map((partition) => ({ topic: wanted[index] ?? '', partition: Number(partition) })),
    );
    return places.sort(comparePartitions);
  }

  /** With `above` oldest first, `limit` together; without newest first, `limit` of each. */
  async #history(
    of: readonly TopicPartition[],
    limit: number,
    above?: (place: TopicPartition) => bigint,
  ): Promise<readonly CommittedRange[]> {
    const list = new KeyList();
    const wanted = of.map((place) => ({ ...placeOf(list, this.#keys, place), above: above?.(place) ?? 0n }));
    const args = { of: wanted, limit, isNewestFirst: above === undefined };
    const [, ...found] = (await this.#scripts.run('Reading the history', historyScript, list, args)) as string[];
    return [...rows.pairs(found)].flatMap(([number, text]) => {
      const place = of[Number(number) - 1];
      return place === undefined ? [] : [rows.committedRange(place.topic, place.partition, text)];
    });
  }
}

function changed(of: readonly TopicPartition[], answer: readonly unknown[]): readonly TopicPartition[] {
  const [word, ...numbers] = answer;
  if (word !== 'changed') return [];
  return numbers
    .flatMap((number) => of[Number(number) - 1] ?? [])
    .map(({ topic, partition }) => ({ topic, partition }));
}

function byId(a: Control, b: Control): number {
  return a.id < b.id ? -1 : 1;
}

function newestFirst(a: CommittedRange, b: CommittedRange): number {
  return b.committedAtMs - a.committedAtMs || comparePartitions(a, b) || Number(b.seq - a.seq);
}
