import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import type { HeldClaim, RangeCommit } from '../../src/offsets/index.ts';
import {
  ledgerFailure,
  openConnection,
  type PostgresStore,
  quoteIdentifier,
} from '../../src/offsets/stores/postgres/index.ts';
import { postgresService, type TestDatabase, waitUntil } from '../services/index.ts';
import { sendWithCopy } from '../support/copyString.ts';
import { LedgerPlaces } from '../support/ledgerPlaces.ts';

let database: TestDatabase;
let places: LedgerPlaces;
let schema: string;
let store: PostgresStore;
let client: Client;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('commit');
  places = new LedgerPlaces(database.url);
  await places.open();
  client = await openConnection({ connectionString: database.url, applicationName: 'tidemark:sink' });
  await places.sql('CREATE TABLE target (id int)');
  await places.sql('CREATE TABLE parent (id int PRIMARY KEY)');
  await places.sql('CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)');
});

afterAll(async () => {
  await client.end();
  await places.close();
  await database.drop();
});

beforeEach(async () => {
  schema = places.newSchema();
  store = await newProcess('first');
  await store.initialise([0, 1, 2].map((partition) => ({ topic: 'orders', partition, nextOffset: 0n, topicId: 'id' })));
  await places.sql('TRUNCATE target, child');
});

async function newProcess(instanceId: string): Promise<PostgresStore> {
  const made = places.newStore({ schema });
  await made.open();
  await made.registerOwner({ instanceId, host: 'h', bootId: '', pid: 1 });
  return made;
}

async function claimAll(by = store): Promise<HeldClaim[]> {
  const rows = await by.read();
  const outcomes = await by.claim(rows.map(({ topic, partition, claim }) => ({ topic, partition, seenClaim: claim })));
  return outcomes.flatMap((outcome) => (outcome.claimed ? [outcome.held] : []));
}

function commitOf(held: HeldClaim | undefined, from: bigint, until: bigint): RangeCommit {
  if (held === undefined) throw new Error('no claim');
  const count = Number(until - from);
  return {
    range: new OffsetRange(held.topic, held.partition, from, until),
    held,
    counts: { ...noCounts(), records: count, produced: count, rows: count },
    leaderEpoch: 0,
    batchTimeMs: 1_700_000_000_000,
    kind: 'batch',
    reason: null,
  };
}

/** The string of a sink's transaction, rolled back afterwards where it failed. */
async function write(commits: readonly RangeCommit[], by: Client = client, table = 'target'): Promise<void> {
  const text = `BEGIN ISOLATION LEVEL READ COMMITTED;COPY ${table} FROM STDIN;SET CONSTRAINTS ALL IMMEDIATE;${store.commitSql(commits)};COMMIT`;
  try {
    await sendWithCopy(by, text, '1\n2\n');
  } catch (error) {
    await by.query('ROLLBACK');
    throw error;
  }
}

async function rows(table = 'target'): Promise<number> {
  return (await places.sql(`SELECT FROM ${table}`)).length;
}

async function offsets(): Promise<bigint[]> {
  return (await store.read()).map(({ nextOffset }) => nextOffset);
}

describe('rows and ledger in one string', () => {
  test('are committed together', async () => {
    const held = await claimAll();
    await write([commitOf(held[1], 0n, 2n)]);
    await write([commitOf(held[1], 2n, 4n)]);
    expect([await rows(), await offsets()]).toEqual([4, [0n, 4n, 0n]]);
  });

  test('a stale claim leaves no row', async () => {
    const stale = await claimAll();
    await claimAll(await newProcess('successor'));
    const error = await write([commitOf(stale[0], 0n, 2n)]).catch((failure: Error) => failure);
    expect(error).toMatchObject({ code: 'TM001', table: 'orders', column: '0' });
    expect(ledgerFailure(error as Error)).toMatchObject({
      code: 'LEDGER_FENCED',
      topic: 'orders',
      partition: 0,
      foreignCode: 'TM001',
      message:
        'The ledger row of orders-0 carries another claim than ours: owner successor, owner epoch 2, next offset 0',
    });
    expect([await rows(), await offsets()]).toEqual([0, [0n, 0n, 0n]]);
  });

  test('one stale claim of several takes everything back, and is named', async () => {
    const held = await claimAll();
    await newProcess('successor').then((other) =>
      other.claim([{ topic: 'orders', partition: 1, seenClaim: held[1]?.claim ?? null }]),
    );
    const commits = [2, 1, 0].map((partition) => commitOf(held[partition], 0n, 2n));
    await expect(write(commits)).rejects.toMatchObject({ code: 'TM001', column: '1' });
    expect([await rows(), await offsets()]).toEqual([0, [0n, 0n, 0n]]);
  });

  test('another start than the row has leaves no row', async () => {
    const held = await claimAll();
    await expect(write([commitOf(held[0], 1n, 2n)])).rejects.toMatchObject({
      code: 'TM002',
      detail: 'owner first, owner epoch 1, next offset 0',
    });
    expect([await rows(), await offsets()]).toEqual([0, [0n, 0n, 0n]]);
  });

  test('a row that is gone leaves no row', async () => {
    const held = await claimAll();
    await places.sql(`DELETE FROM ${quoteIdentifier(schema)}.offsets WHERE partition = 0`);
    await expect(write([commitOf(held[0], 0n, 2n)])).rejects.toMatchObject({ code: 'TM001', column: '0' });
    expect(await rows()).toBe(0);
  });

  test('a claim set to null by hand leaves no row', async () => {
    const held = await claimAll();
    await places.sql(`UPDATE ${quoteIdentifier(schema)}.offsets SET claim = NULL`);
    await expect(write([commitOf(held[0], 0n, 2n)])).rejects.toMatchObject({ code: 'TM001' });
    expect(await rows()).toBe(0);
  });

  test('a history that ends elsewhere leaves no row', async () => {
    const held = await claimAll();
    await places.sql(`UPDATE ${quoteIdentifier(schema)}.offsets SET next_offset = 5`);
    const error = await write([commitOf(held[0], 5n, 7n)]).catch((failure: Error) => failure);
    expect(ledgerFailure(error as Error)).toMatchObject({ code: 'LEDGER_TAMPERED', topic: 'orders', partition: 0 });
    expect(await rows()).toBe(0);
  });

  test('a row put back before a reset of which the history knows leaves no row', async () => {
    const held = await claimAll();
    await places.sql(`UPDATE ${quoteIdentifier(schema)}.ranges SET incarnation = 2`);
    await expect(write([commitOf(held[0], 0n, 2n)])).rejects.toMatchObject({
      code: 'TM003',
      detail: 'incarnation 1, in the history 2',
    });
    expect(await rows()).toBe(0);
  });

  test('a deferred constraint is heard before the ledger', async () => {
    const held = await claimAll();
    await expect(write([commitOf(held[0], 0n, 2n)], client, 'child')).rejects.toMatchObject({ code: '23503' });
    expect([await rows('child'), await offsets()]).toEqual([0, [0n, 0n, 0n]]);
  });

  test('counts that do not add up are refused by the table as well', async () => {
    const held = await claimAll();
    const s = quoteIdentifier(schema);
    for (const counts of ['9,9,9,0,0,0', '2,1,1,0,0,0', '2,2,1,0,0,0', '2,3,3,-1,0,0']) {
      const call = `CALL ${s}.commit_range('conformance','orders',0,0,2,'${held[0]?.claim}',0,'batch',NULL,${counts},now())`;
      await expect(places.sql(call), counts).rejects.toMatchObject({ code: '23514' });
    }
    expect(await offsets()).toEqual([0n, 0n, 0n]);
  });
});

describe('a session that has seen other days', () => {
  test('commits when its path leads to other objects of the same names', async () => {
    const held = await claimAll();
    await places.sql('CREATE SCHEMA traps');
    await places.sql('CREATE TABLE traps.offsets (nothing int); CREATE TABLE traps.ranges (nothing int)');
    await places.sql(
      'CREATE FUNCTION traps.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT NULL::timestamptz $$',
    );
    await client.query('SET search_path = traps, pg_catalog');
    await write([commitOf(held[0], 0n, 2n)], client, 'public.target');
    await client.query('RESET search_path');
    expect([await rows(), await offsets()]).toEqual([2, [2n, 0n, 0n]]);
  });

  test('goes on when the ledger was altered, or made again, under its plans', async () => {
    const s = quoteIdentifier(schema);
    let held = await claimAll();
    await write([commitOf(held[0], 0n, 2n)]);
    await places.sql(`ALTER TABLE ${s}.offsets ADD COLUMN note text; ALTER TABLE ${s}.ranges ADD COLUMN note text`);
    await write([commitOf(held[0], 2n, 4n)]);
    await places.sql(`ALTER TABLE ${s}.offsets DROP COLUMN note; ALTER TABLE ${s}.ranges DROP COLUMN note`);
    await write([commitOf(held[0], 4n, 6n)]);
    await places.sql(`DROP SCHEMA ${s} CASCADE`);
    await store.open();
    await store.initialise([{ topic: 'orders', partition: 0, nextOffset: 0n, topicId: 'id' }]);
    held = await claimAll();
    await write([commitOf(held[0], 0n, 2n)]);
    expect([await rows(), await offsets()]).toEqual([8, [2n]]);
  });

  test('commits when its transactions are repeatable read, or read only, by default', async () => {
    await client.query("SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = off");
    const held = await claimAll();
    await write([commitOf(held[0], 0n, 2n)]);
    await client.query('RESET default_transaction_isolation');
    expect(await rows()).toBe(2);
  });
});

describe('many at once', () => {
  test('transactions over several partitions never deadlock, in whatever order they name them', async () => {
    const held = await claimAll();
    const clients = await Promise.all(
      [0, 1, 2, 3].map(() => openConnection({ connectionString: database.url, applicationName: 'tidemark:many' })),
    );
    const next = [0n, 0n, 0n];
    let committed = 0;
    const work = clients.map(async (by, index) => {
      const order = index % 2 === 0 ? [0, 1, 2] : [2, 1, 0];
      for (let round = 0; round < 25; round += 1) {
        const commits = order.map((partition) =>
          commitOf(held[partition], next[partition] ?? 0n, (next[partition] ?? 0n) + 1n),
        );
        try {
          await write(commits, by);
          committed += 1;
          for (const { range } of commits) next[range.partition] = range.untilOffset;
        } catch (error) {
          // Somebody else committed the same ranges a moment before: never a deadlock.
          expect(error).toMatchObject({ code: 'TM002' });
        }
      }
    });
    await Promise.all(work);
    expect(await offsets()).toEqual(next);
    expect(await rows()).toBe(2 * committed);
    expect(next[0]).toBe(BigInt(committed));
    await Promise.all(clients.map((one) => one.end()));
  });

  test('a claim waits for a commit that is under way and then sees what it did', async () => {
    const held = await claimAll();
    const successor = await newProcess('successor');
    await client.query(`BEGIN; ${store.commitSql([commitOf(held[0], 0n, 2n)])}`);
    const claiming = claimAll(successor);
    await waitUntil('the claim to wait', async () => {
      const waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      return (await places.sql(waiting)).length > 0;
    });
    await client.query('COMMIT');
    const [, , third] = await claiming;
    expect(third?.ownerEpoch).toBe(2n);
    expect(await offsets()).toEqual([2n, 0n, 0n]);
    await expect(write([commitOf(held[0], 2n, 4n)])).rejects.toMatchObject({ code: 'TM001' });
  });
});
