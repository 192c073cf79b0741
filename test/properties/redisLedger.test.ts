import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { noCounts, OffsetRange, partitionKey, type TopicPartition } from '../../src/model/index.ts';
import type { HeldClaim, NewControl, OffsetStore, PositionMove, StoredOffset } from '../../src/offsets/index.ts';
import { type LedgerPlace, MemoryDatabase } from '../../src/testkit/index.ts';
import { redisService } from '../services/index.ts';
import { RedisPlaces } from '../support/redisPlaces.ts';

const pipeline = 'conformance';
const places: readonly TopicPartition[] = ['a', 'b'].flatMap((topic) =>
  [0, 1].map((partition) => ({ topic, partition })),
);
const processes = 2;
const startMs = Date.UTC(2026, 3, 1);
/** Where positions begin: doubles give out in the middle of a run. */
const base = 2n ** 53n - 20n;

const process = fc.nat(processes - 1);
const of = fc.constantFrom(...places);
const some = fc.subarray([...places], { minLength: 1 });
const near = fc.bigInt({ min: -3n, max: 12n });
/** How often what a caller saw is what is there. */
const isFresh = fc.constantFrom(true, true, true, false);

const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('claim' as const), process, some, isFresh }) },
  {
    weight: 10,
    arbitrary: fc.record({
      what: fc.constant('commit' as const),
      process,
      some,
      miss: fc.constantFrom(0n, 0n, 0n, 0n, 0n, 0n, 1n, -1n),
      length: fc.constantFrom(0n, 1n, 5n, 400_000n, 600_001n),
      kind: fc.constantFrom('batch' as const, 'batch' as const, 'batch' as const, 'gap' as const),
      laterMs: fc.constantFrom(-1, 0, 1000, 45_000),
      leaderEpoch: fc.constantFrom(-1, 4),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('release' as const), process, some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('state' as const),
      process,
      of,
      state: fc.constantFrom('running' as const, 'paused' as const, 'parked' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('topicId' as const), process, of, seen: fc.nat(2), id: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('insert' as const), process, some, near }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('move' as const), process, some, isFresh, isReset: fc.boolean(), near }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('remove' as const), process, some, isFresh }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('interrupt' as const), process, some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('order' as const),
      process,
      topic: fc.constantFrom(null, 'a', 'b', 'c'),
      partition: fc.constantFrom(null, 0, 1),
      skip: fc.option(fc.record({ near, length: fc.bigInt({ min: 1n, max: 8n }) })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('withdraw' as const), process, index: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('hand' as const), of, near }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

/** One ledger, with what each process believes to hold. What it answers has no claims and no times in it. */
class Side {
  readonly #place: LedgerPlace;
  readonly #stores: readonly OffsetStore[];
  readonly #held: readonly Map<string, HeldClaim>[];
  /** Rows as they were a few actions ago, the oldest first. */
  readonly #past: (readonly StoredOffset[])[] = [];
  #timeMs = startMs;

  constructor(place: LedgerPlace) {
    this.#place = place;
    this.#stores = Array.from({ length: processes }, () => place.newStore(pipeline));
    this.#held = this.#stores.map(() => new Map());
  }

  async begin(): Promise<void> {
    for (const [index, store] of this.#stores.entries()) {
      await store.open();
      await store.registerOwner({ instanceId: `p${index}`, host: 'h', bootId: '', pid: index });
    }
    await this.#store(0).initialise(places.map((place) => ({ ...place, nextOffset: base, topicId: 'id 0' })));
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
  }

  /** What became of an action, then everything the ledger holds. */
  async after(one: Action): Promise<unknown> {
    const rows = await this.#store(0).read();
    const outcome = await this.#act(one, rows).catch((error) => {
      if (isTidemarkError(error)) return [error.code, error.topic, error.partition];
      throw error;
    });
    this.#past.push(rows);
    if (this.#past.length > 5) this.#past.shift();
    return { outcome, ...(await this.#content()) };
  }

  async #content(): Promise<object> {
    const store = this.#store(1);
    const [rows, ranges, controls] = await Promise.all([
      store.read(),
      store.ranges({ limit: 10_000 }),
      store.controls(),
    ]);
    const newest = await Promise.all(places.map((place) => store.newestRange(place)));
    return {
      rows: rows.map(still),
      ranges: ranges.map(({ committedAtMs: _, ...range }) => range),
      newest: newest.map((range) => range?.seq),
      controls: controls.map(({ id: _, orderedAtMs: __, ...order }) => order),
    };
  }

  async #act(one: Action, rows: readonly StoredOffset[]): Promise<unknown> {
    const rowAt = (place: TopicPartition, from = rows) => from.find((row) => partitionKey(row) === partitionKey(place));
    const store = this.#store('process' in one ? one.process : 0);
    const held = 'process' in one ? (this.#held[one.process] ?? new Map()) : new Map();
    const heldOf = (wanted: readonly TopicPartition[]) =>
      wanted.flatMap((place) => held.get(partitionKey(place)) ?? []);
    switch (one.what) {
      case 'claim': {
        const from = one.isFresh ? rows : (this.#past[0] ?? []);
        const requests = one.some.map((place) => ({ ...place, seenClaim: rowAt(place, from)?.claim ?? null }));
        const outcomes = await store.claim(requests);
        for (const outcome of outcomes) if (outcome.claimed) held.set(partitionKey(outcome.held), outcome.held);
        return outcomes.map(({ claimed, row }) => [claimed, row && still(row)]);
      }
      case 'commit': {
        this.#timeMs += one.laterMs;
        const { kind, leaderEpoch, length } = one;
        const records = kind === 'gap' ? 0 : Number(length);
        const commits = heldOf(one.some).map((claim) => {
          const from = (rowAt(claim)?.nextOffset ?? base) + one.miss;
          const range = new OffsetRange(claim.topic, claim.partition, from, from + length);
          const counts = { ...noCounts(), records, produced: records, rows: records * 3 };
          const reason = kind === 'gap' ? 'why' : null;
          return { range, held: claim, counts, leaderEpoch, batchTimeMs: this.#timeMs, kind, reason };
        });
        return store.commitRanges(commits);
      }
      case 'release':
        return store.release(heldOf(one.some));
      case 'state': {
        const [claim] = heldOf([one.of]);
        return claim && store.setState(claim, one.state, 'why');
      }
      case 'topicId': {
        const [claim] = heldOf([one.of]);
        return claim && store.swapTopicId(claim, `id ${one.seen}`, `id ${one.id}`);
      }
      case 'insert':
        return store.initialise(one.some.map((place) => ({ ...place, nextOffset: base + one.near, topicId: 'id 0' })));
      case 'move': {
        const from = one.isFresh ? rows : (this.#past[0] ?? []);
        const moves = one.some.flatMap((place): readonly PositionMove[] => {
          const seen = rowAt(place, from);
          const toOffset = (seen?.nextOffset ?? base) + one.near;
          if (one.isReset) return [{ ...place, kind: 'reset', seen, toOffset, topicId: 'id 1', reason: 'reset' }];
          if (seen === undefined || one.near <= 0n) return [];
          return [{ ...place, kind: 'gap', seen, toOffset, reason: 'passed over' }];
        });
        return store.move(moves, 'anna');
      }
      case 'remove': {
        const from = one.isFresh ? rows : (this.#past[0] ?? []);
        const seen = one.some.flatMap((place) => (rowAt(place) === undefined ? [] : (rowAt(place, from) ?? [])));
        return store.remove(seen, 'anna', 'over');
      }
      case 'interrupt':
        return store.interrupt(one.some);
      case 'order': {
        const given = await store.order([orderOf(one, rows)], 'ben');
        return given.map(({ id: _, orderedAtMs: __, ...order }) => order);
      }
      case 'withdraw': {
        const order = (await store.controls())[one.index];
        return store.withdraw(order === undefined ? [] : [order.id, order.id + 1000n]);
      }
      case 'hand': {
        const row = rowAt(one.of);
        if (row !== undefined) await this.#place.moveByHand(pipeline, one.of, row.nextOffset + one.near);
        return undefined;
      }
    }
  }

  #store(index: number): OffsetStore {
    const store = this.#stores[index];
    if (store === undefined) throw new Error(`no process ${index}`);
    return store;
  }
}

function orderOf(
  { topic, partition, skip }: Extract<Action, { readonly what: 'order' }>,
  rows: readonly StoredOffset[],
): NewControl {
  if (topic === null || partition === null || skip === null) {
    const place = { topic, partition: topic === null ? null : partition };
    return { ...place, order: 'pause', fromOffset: null, untilOffset: null, reason: 'pause' };
  }
  const row = rows.find((one) => one.topic === topic && one.partition === partition);
  const fromOffset = (row?.nextOffset ?? base) + skip.near;
  return { topic, partition, order: 'skip', fromOffset, untilOffset: fromOffset + skip.length, reason: 'skip' };
}

function still({ ageMs: _, claim, ...row }: StoredOffset) {
  return { ...row, isClaimed: claim !== null };
}

describe('the ledger in Redis', () => {
  let redis: RedisPlaces;
  beforeAll(async () => {
    redis = new RedisPlaces((await redisService()).url);
  });
  afterAll(() => redis.close());

  test('is the one in memory after any sequence of calls and of hands', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), async (actions) => {
        const database = new MemoryDatabase();
        const memory = new Side({
          newStore: (name) => database.store(name),
          moveByHand: async (name, place, offset) => database.moveByHand(name, place, offset),
          removeByHand: async (name, place) => database.removeByHand(name, place),
        });
        const real = new Side(await redis.newPlace());
        await Promise.all([memory.begin(), real.begin()]);
        for (const one of actions) {
          const expected = await memory.after(one);
          expect(await real.after(one)).toEqual(expected);
        }
        await Promise.all([memory.close(), real.close()]);
      }),
      { numRuns: 25 },
    );
  });
});
