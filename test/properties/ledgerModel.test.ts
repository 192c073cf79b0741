import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTidemarkError } from '../../src/errors.ts';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../src/offsets/index.ts';
import { type PostgresStore, quoteIdentifier } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';
import { type LedgerFault, LedgerModel } from '../support/ledgerModel.ts';
import { LedgerPlaces } from '../support/ledgerPlaces.ts';

const processes = 3;
const partitions = 2;
const batchTimeMs = Date.UTC(2026, 3, 1);

/** One thing that somebody does. Processes act on the claim they believe in, which is often stale. */
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('claim'),
      process: fc.nat(processes - 1),
      of: fc.nat(partitions - 1),
      sees: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      what: fc.constant('commit'),
      process: fc.nat(processes - 1),
      of: fc.subarray([1, 0], { minLength: 1 }),
      miss: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, -2, 3),
      length: fc.constantFrom(0, 1, 5, 5, 400_000, 600_000, 600_001),
      kind: fc.constantFrom('batch', 'batch', 'batch', 'gap'),
      laterMs: fc.constantFrom(0, 1000, 45_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('release'), process: fc.nat(processes - 1), of: fc.nat(partitions - 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('park'), process: fc.nat(processes - 1), of: fc.nat(partitions - 1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('swap'),
      process: fc.nat(processes - 1),
      of: fc.nat(partitions - 1),
      seen: fc.nat(2),
      topicId: fc.nat(2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('move'),
      of: fc.nat(partitions - 1),
      by: fc.integer({ min: -3, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reset'), of: fc.nat(partitions - 1), to: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('remove'), of: fc.nat(partitions - 1) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('insert'), process: fc.nat(processes - 1), at: fc.nat(20) }) },
) as fc.Arbitrary<Action>;

type Action =
  | { what: 'claim'; process: number; of: number; sees: boolean }
  | {
      what: 'commit';
      process: number;
      of: number[];
      miss: number;
      length: number;
      kind: 'batch' | 'gap';
      laterMs: number;
    }
  | { what: 'release' | 'park'; process: number; of: number }
  | { what: 'swap'; process: number; of: number; seen: number; topicId: number }
  | { what: 'move'; of: number; by: number }
  | { what: 'reset'; of: number; to: number }
  | { what: 'remove'; of: number }
  | { what: 'insert'; process: number; at: number };

describe('the ledger under any sequence of claims, commits, releases, resets and hands', () => {
  let database: TestDatabase;
  let places: LedgerPlaces;
  const schema = 'model';
  let runs = 0;

  beforeAll(async () => {
    database = await (await postgresService()).createDatabase('model');
    places = new LedgerPlaces(database.url);
    await places.open();
    await places.newStore({ schema }).open();
  });
  afterAll(async () => {
    await places.close();
    await database.drop();
  });

  test('does what a naive one in memory does, and its history is whole', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), async (actions) => {
        runs += 1;
        const pipeline = `run ${runs}`;
        const stores = Array.from({ length: processes }, () => places.newStore({ schema, pipeline }));
        const world = new World(stores, places, pipeline, quoteIdentifier(schema));
        await world.begin();
        for (const one of actions) {
          await world.act(one);
          await world.compare();
        }
        await world.checkHistory();
        await Promise.all(stores.map((store) => store.close()));
      }),
      { numRuns: 25 },
    );
  });
});

/** The real ledger and the model, side by side. */
class World {
  readonly #stores: readonly PostgresStore[];
  readonly #places: LedgerPlaces;
  readonly #pipeline: string;
  readonly #s: string;
  readonly #model = new LedgerModel();
  /** What each process believes to hold, by partition. */
  readonly #beliefs: Map<number, HeldClaim>[];
  #timeMs = batchTimeMs;

  constructor(stores: readonly PostgresStore[], places: LedgerPlaces, pipeline: string, s: string) {
    this.#stores = stores;
    this.#places = places;
    this.#pipeline = pipeline;
    this.#s = s;
    this.#beliefs = stores.map(() => new Map());
  }

  async begin(): Promise<void> {
    for (const [index, store] of this.#stores.entries()) {
      await store.registerOwner({ instanceId: `p${index}`, host: 'h', bootId: '', pid: index });
    }
    await this.#insert({ what: 'insert', process: 0, at: 10 });
  }

  act(action: Action): Promise<void> {
    switch (action.what) {
      case 'claim':
        return this.#claim(action);
      case 'commit':
        return this.#commit(action);
      case 'release':
        return this.#release(action);
      case 'park':
        return this.#park(action);
      case 'swap':
        return this.#swap(action);
      case 'move':
        return this.#move(action);
      case 'reset':
        return this.#reset(action);
      case 'remove':
        return this.#remove(action);
      case 'insert':
        return this.#insert(action);
    }
  }

  /** Every row, as the model has it. */
  async compare(): Promise<void> {
    const rows = await this.#store(0).read();
    expect(rows.map(({ ageMs: _, leaderEpoch: __, topic: ___, reason: ____, ...row }) => row)).toEqual(
      this.#model.rows(),
    );
  }

  /** I1 and I6 from the history alone, and that what can merge is merged. */
  async checkHistory(): Promise<void> {
    const rows = await this.#places.sql<HistoryRow>(
      `SELECT partition, seq::int, incarnation::int, from_offset::int AS "from", until_offset::int AS until, records::int, owner_epoch::int,
              kind, (extract(epoch FROM batch_time) * 1000)::float8 AS "batchTimeMs"
         FROM ${this.#s}.ranges WHERE pipeline = $1 ORDER BY partition, seq`,
      [this.#pipeline],
    );
    for (const partition of [0, 1]) {
      const history = rows.filter((row) => row.partition === partition);
      expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
      for (const [index, row] of history.entries()) {
        const before = history[index - 1];
        if (before === undefined || before.incarnation !== row.incarnation) {
          expect(['base', 'reset']).toContain(row.kind);
          continue;
        }
        expect(row.from, 'contiguous').toBe(before.until);
        expect(row.owner_epoch).toBeGreaterThanOrEqual(before.owner_epoch);
      }
      expect(history.map(({ kind, from, until, records }) => ({ kind, from, until, records }))).toEqual(
        this.#model.history(partition),
      );
    }
  }

  async #claim({ process, of, sees }: Extract<Action, { what: 'claim' }>): Promise<void> {
    const row = this.#model.row(of);
    // Without looking again a process goes by what it believed.
    const seenClaim = sees ? (row?.claim ?? null) : (this.#beliefs[process]?.get(of)?.claim ?? null);
    const [outcome] = await this.#store(process).claim([{ topic: 'orders', partition: of, seenClaim }]);
    expect(outcome?.claimed).toBe(row !== undefined && row.claim === seenClaim);
    if (outcome?.claimed !== true) return;
    this.#beliefs[process]?.set(of, outcome.held);
    this.#model.claim(of, outcome.held.claim, `p${process}`);
    expect(outcome.held.ownerEpoch).toBe(this.#model.row(of)?.ownerEpoch);
  }

  async #commit(action: Extract<Action, { what: 'commit' }>): Promise<void> {
    const { process, of, miss, length, kind, laterMs } = action;
    this.#timeMs += laterMs;
    const commits: RangeCommit[] = [];
    for (const partition of of) {
      const held = this.#beliefs[process]?.get(partition);
      const from = (this.#model.row(partition)?.nextOffset ?? 0n) + BigInt(miss);
      if (held === undefined || from < 0n) return;
      const records = kind === 'gap' ? 0 : length;
      commits.push({
        range: new OffsetRange('orders', partition, from, from + BigInt(length)),
        held,
        counts: { ...noCounts(), records, dropped: records },
        leaderEpoch: -1,
        batchTimeMs: this.#timeMs,
        kind,
        reason: kind === 'gap' ? 'why' : null,
      });
    }
    const expected = this.#model.commit(commits);
    expect(await this.#faultOf(this.#store(process).commitRanges(commits))).toBe(expected);
  }

  async #faultOf(work: Promise<void>): Promise<LedgerFault | undefined> {
    try {
      await work;
      return undefined;
    } catch (error) {
      if (isTidemarkError(error)) return error.code as LedgerFault;
      throw error;
    }
  }

  async #release({ process, of }: { process: number; of: number }): Promise<void> {
    const held = this.#beliefs[process]?.get(of);
    if (held === undefined) return;
    const [isFree] = await this.#store(process).release([held]);
    expect(isFree).toBe(this.#model.release(of, held));
  }

  async #park({ process, of }: { process: number; of: number }): Promise<void> {
    const held = this.#beliefs[process]?.get(of);
    if (held === undefined) return;
    const fault = await this.#faultOf(this.#store(process).setState(held, 'parked', 'bad'));
    expect(fault).toBe(this.#model.park(of, held));
  }

  /** Three ids, so that what was seen is often what is there. */
  async #swap({ process, of, seen, topicId }: Extract<Action, { what: 'swap' }>): Promise<void> {
    const held = this.#beliefs[process]?.get(of);
    if (held === undefined) return;
    const ids = [`id ${seen}`, `id ${topicId}`] as const;
    const fault = await this.#faultOf(this.#store(process).swapTopicId(held, ...ids));
    expect(fault).toBe(this.#model.swap(of, held, ...ids));
  }

  async #move({ of, by }: Extract<Action, { what: 'move' }>): Promise<void> {
    const row = this.#model.row(of);
    if (row === undefined || row.nextOffset + BigInt(by) < 0n) return;
    this.#model.move(of, row.nextOffset + BigInt(by));
    await this.#byHand(
      `UPDATE ${this.#s}.offsets SET next_offset = next_offset + ${by} WHERE pipeline = $1 AND partition = $2`,
      of,
    );
  }

  /** As the command will do it: design §3.6. */
  async #reset({ of, to }: Extract<Action, { what: 'reset' }>): Promise<void> {
    if (this.#model.row(of) === undefined) return;
    this.#model.reset(of, BigInt(to));
    await this.#byHand(
      `WITH changed AS (
         UPDATE ${this.#s}.offsets SET next_offset = ${to}, claim = NULL, owner = NULL, owner_epoch = owner_epoch + 1, incarnation = incarnation + 1
          WHERE pipeline = $1 AND partition = $2 RETURNING *)
       INSERT INTO ${this.#s}.ranges (pipeline, topic, partition, seq, incarnation, from_offset, until_offset, owner_epoch, batch_time, kind, reason)
       SELECT pipeline, topic, partition, (SELECT max(seq) + 1 FROM ${this.#s}.ranges r WHERE r.pipeline = $1 AND r.partition = $2),
              incarnation, next_offset, next_offset, owner_epoch, now(), 'reset', 'to ${to}' FROM changed`,
      of,
    );
  }

  async #remove({ of }: Extract<Action, { what: 'remove' }>): Promise<void> {
    this.#model.remove(of);
    await this.#byHand(`DELETE FROM ${this.#s}.offsets WHERE pipeline = $1 AND partition = $2`, of);
  }

  async #insert({ process, at }: Extract<Action, { what: 'insert' }>): Promise<void> {
    const positions = [1, 0].map((partition) => ({
      topic: 'orders',
      partition,
      nextOffset: BigInt(at),
      topicId: 'id 0',
    }));
    await this.#store(process).initialise(positions);
    for (const { partition, nextOffset, topicId } of positions) this.#model.insert(partition, nextOffset, topicId);
  }

  async #byHand(text: string, partition: number): Promise<void> {
    await this.#places.sql(text, [this.#pipeline, partition]);
  }

  #store(process: number): PostgresStore {
    const store = this.#stores[process];
    if (store === undefined) throw new Error(`no process ${process}`);
    return store;
  }
}

interface HistoryRow {
  partition: number;
  seq: number;
  incarnation: number;
  from: number;
  until: number;
  records: number;
  owner_epoch: number;
  kind: string;
  batchTimeMs: number;
}
