import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TidemarkError } from '../../src/errors.ts';
import { noCounts, OffsetRange } from '../../src/model/index.ts';
import { type HeldClaim, type RangeCommit, resolveInDoubt } from '../../src/offsets/index.ts';
import type { PostgresStore } from '../../src/offsets/stores/postgres/index.ts';
import { openConnection, quoteIdentifier, PostgresStore as Store } from '../../src/offsets/stores/postgres/index.ts';
import { postgresService, type TcpProxy, type TestDatabase, tcpProxy, waitUntil } from '../services/index.ts';
import { LedgerPlaces } from '../support/ledgerPlaces.ts';

const self = { instanceId: 'this-process', host: 'h', bootId: 'b', pid: 1 };
const place = { topic: 'orders', partition: 0 };
const unclaimed = { ...place, seenClaim: null };
const requestDeadlineMs = 2000;

let database: TestDatabase;
let places: LedgerPlaces;
let proxy: TcpProxy;
let proxyUrl: string;
/** Through the proxy. */
let store: PostgresStore;
/** Past the proxy, to look. */
let observer: PostgresStore;
let schema: string;

beforeAll(async () => {
  const service = await postgresService();
  database = await service.createDatabase('connections');
  places = new LedgerPlaces(database.url);
  await places.open();
  proxy = await tcpProxy({ host: service.host, port: service.port });
  const url = new URL(database.url);
  url.hostname = proxy.host;
  url.port = String(proxy.port);
  proxyUrl = url.toString();
});

afterAll(async () => {
  await places.close();
  await proxy.close();
  await database.drop();
});

beforeEach(async () => {
  schema = places.newSchema();
  const instance = { schema, instanceId: self.instanceId };
  store = places.newStore({ ...instance, connectionString: proxyUrl, requestDeadlineMs, connectDeadlineMs: 1000 });
  observer = places.newStore({ schema });
  await store.open();
  await store.registerOwner(self);
});

afterEach(async () => {
  await proxy.refuse(false);
  proxy.resume();
  await store.close();
  await observer.close();
});

async function begin(partitions = 1): Promise<void> {
  const rows = Array.from({ length: partitions }, (_, partition) => ({ topic: 'orders', partition }));
  await store.initialise(rows.map((row) => ({ ...row, nextOffset: 0n, topicId: 'id' })));
}

async function claim(): Promise<HeldClaim> {
  const [row] = await observer.read();
  const [outcome] = await store.claim([{ ...place, seenClaim: row?.claim ?? null }]);
  if (outcome?.claimed !== true) throw new Error('the claim missed');
  return outcome.held;
}

function commitOf(held: HeldClaim, from: bigint, until: bigint): RangeCommit {
  const range = new OffsetRange(held.topic, held.partition, from, until);
  return { range, held, counts: noCounts(), leaderEpoch: -1, batchTimeMs: 0, kind: 'batch', reason: null };
}

async function rejection(work: Promise<unknown>): Promise<TidemarkError> {
  const error = await work.then(
    () => undefined,
    (failure: TidemarkError) => failure,
  );
  if (error === undefined) throw new Error('it did not reject');
  return error;
}

/** What happens to the first piece of data that holds the words. */
function once(words: string, verdict: 'cut' | 'loseReply'): () => boolean {
  let isDone = false;
  proxy.onClientData((data) => {
    if (isDone || !data.includes(words)) return 'pass';
    isDone = true;
    return verdict;
  });
  return () => isDone;
}

describe.each(['cut', 'loseReply'] as const)('a connection that breaks (%s) at a request', (verdict) => {
  test('heartbeat', async () => {
    const happened = once('INSERT INTO', verdict);
    await store.registerOwner(self);
    expect(happened()).toBe(true);
    expect(await observer.owners()).toHaveLength(1);
  });

  test('first positions', async () => {
    const happened = once('INSERT INTO', verdict);
    await begin(3);
    expect(happened()).toBe(true);
    const [row, ...others] = await observer.read();
    expect([row?.nextOffset, row?.incarnation, others.length]).toEqual([0n, 1n, 2]);
    expect((await observer.newestRange(place))?.seq).toBe(1n);
  });

  test('claim: the row is taken once, and the token that was answered is the one in the row', async () => {
    await begin();
    const happened = once('FOR UPDATE', verdict);
    const [outcome] = await store.claim([unclaimed]);
    expect(happened()).toBe(true);
    const [row] = await observer.read();
    expect(outcome).toMatchObject({ claimed: true, held: { claim: row?.claim, ownerEpoch: 1n } });
    expect(row?.ownerEpoch).toBe(1n);
  });

  test('release: answers that it is free', async () => {
    await begin();
    const held = await claim();
    const happened = once('FOR UPDATE', verdict);
    expect(await store.release([held])).toEqual([true]);
    expect(happened()).toBe(true);
    expect((await observer.read())[0]).toMatchObject({ claim: null, ownerEpoch: 1n });
  });

  test('state', async () => {
    await begin();
    const held = await claim();
    const happened = once('UPDATE', verdict);
    await store.setState(held, 'parked', 'why');
    expect(happened()).toBe(true);
    expect((await observer.read())[0]).toMatchObject({ state: 'parked', reason: 'why' });
  });

  test('topic id', async () => {
    await begin();
    const held = await claim();
    const happened = once('UPDATE', verdict);
    await store.swapTopicId(held, 'id', 'another');
    expect(happened()).toBe(true);
    expect((await observer.read())[0]?.topicId).toBe('another');
  });

  test('reading', async () => {
    await begin();
    for (const [words, read] of [
      ['.offsets', () => store.read()],
      ['.owners', () => store.owners()],
      ['.controls', () => store.controls()],
      ['.ranges', () => store.newestRange(place)],
    ] as const) {
      const happened = once(words, verdict);
      await read();
      expect(happened(), words).toBe(true);
    }
  });

  test('commit: is in doubt, and a fresh claim tells what happened', async () => {
    await begin();
    const held = await claim();
    once('CALL', verdict);
    const range = new OffsetRange('orders', 0, 0n, 10n);
    const error = await rejection(store.commitRanges([commitOf(held, 0n, 10n)]));
    expect(error).toMatchObject({ code: 'COMMIT_IN_DOUBT', retriable: false });
    const [outcome] = await store.claim([{ ...place, seenClaim: held.claim }]);
    if (outcome?.claimed !== true) throw new Error('the claim missed');
    expect(resolveInDoubt(outcome.row, outcome.held, range)).toBe(verdict === 'cut' ? 'redo' : 'committed');
    await expect(store.commitRanges([commitOf(held, 0n, 10n)])).rejects.toMatchObject({ code: 'LEDGER_FENCED' });
  });
});

test('a commit that could not be sent is not in doubt', async () => {
  await begin();
  const held = await claim();
  await proxy.refuse(true);
  proxy.cut();
  await waitUntil('the store to notice', async () => proxy.connections === 0);
  const error = await rejection(store.commitRanges([commitOf(held, 0n, 10n)]));
  // Either the store knew that its connection was gone, or it had to send to find out.
  expect(['STORE_UNREACHABLE', 'COMMIT_IN_DOUBT']).toContain(error.code);
  await expect(store.commitRanges([commitOf(held, 0n, 10n)])).rejects.toMatchObject({
    code: 'STORE_UNREACHABLE',
    retriable: true,
    foreignCode: 'ECONNREFUSED',
  });
  await expect(store.read()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', retriable: true });
  await proxy.refuse(false);
  await store.commitRanges([commitOf(held, 0n, 10n)]);
  expect((await store.read())[0]?.nextOffset).toBe(10n);
});

/** Holds rows of the ledger as some other transaction does; answers how to let go. */
async function lockRows(): Promise<() => Promise<void>> {
  const client = await openConnection({ connectionString: database.url, applicationName: 'locker' });
  await client.query(`BEGIN; SELECT FROM ${quoteIdentifier(schema)}.offsets FOR UPDATE`);
  return () => client.end();
}

async function backends(): Promise<{ pid: number; wait: string | null }[]> {
  return places.sql(
    'SELECT pid, wait_event_type AS wait FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()',
    [`tidemark:${self.instanceId}`],
  );
}

describe('a backend that is ended by an administrator', () => {
  test('while it is idle hurts nobody', async () => {
    await store.read();
    for (const { pid } of await backends()) await places.sql('SELECT pg_terminate_backend($1)', [pid]);
    await waitUntil('the backend to be gone', async () => (await backends()).length === 0);
    expect(await store.read()).toEqual([]);
  });

  test('in the middle of a claim: the claim is sent again', async () => {
    await begin();
    const letGo = await lockRows();
    const outcomes = store.claim([unclaimed]);
    const waiting = await waitUntil('the claim to wait', async () =>
      (await backends()).find(({ wait }) => wait === 'Lock'),
    );
    await places.sql('SELECT pg_terminate_backend($1)', [waiting.pid]);
    await waitUntil('the second claim to wait', async () =>
      (await backends()).some(({ pid, wait }) => wait === 'Lock' && pid !== waiting.pid),
    );
    await letGo();
    expect((await outcomes)[0]?.claimed).toBe(true);
    expect((await observer.read())[0]?.ownerEpoch).toBe(1n);
  });

  test('in the middle of a commit: the commit is in doubt', async () => {
    await begin();
    const held = await claim();
    const letGo = await lockRows();
    const commit = rejection(store.commitRanges([commitOf(held, 0n, 10n)]));
    const waiting = await waitUntil('the commit to wait', async () =>
      (await backends()).find(({ wait }) => wait === 'Lock'),
    );
    await places.sql('SELECT pg_terminate_backend($1)', [waiting.pid]);
    expect((await commit).code).toBe('COMMIT_IN_DOUBT');
    await letGo();
    expect((await observer.read())[0]?.nextOffset).toBe(0n);
  });
});

describe('a server that does not answer', () => {
  test('is given up after the deadline, and found again', async () => {
    await begin();
    proxy.pause();
    const before = performance.now();
    const error = await rejection(store.claim([unclaimed]));
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE', retriable: true });
    expect(performance.now() - before).toBeGreaterThanOrEqual(requestDeadlineMs - 10);
    expect(performance.now() - before).toBeLessThan(5 * requestDeadlineMs);
    const connecting = await rejection(store.read());
    expect(connecting).toMatchObject({ code: 'STORE_UNREACHABLE', retriable: true });
    expect(connecting.message).toContain('1000 ms');
    proxy.resume();
    // The first claim can still arrive, and be executed, long after it was given up: then the row is ours already.
    await waitUntil('a claim to succeed', async () => {
      const [row] = await store.read();
      return (await store.claim([{ ...place, seenClaim: row?.claim ?? null }]))[0]?.claimed === true;
    });
    expect((await observer.read())[0]?.owner).toBe(self.instanceId);
  });

  test('does not keep a store from closing', async () => {
    await store.read();
    proxy.pause();
    await store.close();
    await expect(store.read()).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
    await store.close();
  });
});

describe('rows that somebody else has locked', () => {
  test('a lock is waited for, then it is a failure that can be repeated; the heartbeat goes on', async () => {
    await begin();
    const letGo = await lockRows();
    const [claiming] = await Promise.all([rejection(store.claim([unclaimed])), store.registerOwner(self)]);
    expect(claiming).toMatchObject({ code: 'STORE_REQUEST_FAILED', foreignCode: '55P03', retriable: true });
    await letGo();
    expect((await store.claim([unclaimed]))[0]?.claimed).toBe(true);
  });

  test('a deadlock is resolved by trying again', async () => {
    await begin(2);
    const patient = places.newStore({ schema, instanceId: self.instanceId });
    await patient.registerOwner(self);
    const client = await openConnection({ connectionString: database.url, applicationName: 'locker' });
    const row = (partition: number) =>
      `SELECT FROM ${quoteIdentifier(schema)}.offsets WHERE partition = ${partition} FOR UPDATE`;
    // The claim's backend is the one that looks for deadlocks first, and gives way.
    await client.query(`SET deadlock_timeout = '30s'; BEGIN; ${row(1)}`);
    // It locks 0, then waits for 1.
    const claiming = patient.claim([unclaimed, { topic: 'orders', partition: 1, seenClaim: null }]);
    await waitUntil('the claim to wait', async () => (await backends()).some(({ wait }) => wait === 'Lock'));
    await client.query(`${row(0)}; COMMIT`);
    expect((await claiming).map(({ claimed }) => claimed)).toEqual([true, true]);
    await client.end();
  });
});

describe('connecting', () => {
  const failures: readonly (readonly [string, (url: URL) => void, Partial<TidemarkError>])[] = [
    [
      'a database that does not exist',
      (url) => {
        url.pathname = '/nowhere';
      },
      { code: 'STORE_REQUEST_FAILED', foreignCode: '3D000', retriable: false },
    ],
    [
      'a port where nothing listens',
      (url) => {
        url.port = '1';
        url.password = 'sesame-4711';
      },
      { code: 'STORE_UNREACHABLE', foreignCode: 'ECONNREFUSED', retriable: true },
    ],
    [
      'a host that does not exist',
      (url) => {
        url.hostname = 'nowhere.invalid';
        url.password = 'sesame-4711';
      },
      { code: 'STORE_UNREACHABLE', retriable: true },
    ],
    [
      'a server without TLS where TLS was asked for',
      (url) => {
        url.searchParams.set('sslmode', 'verify-full');
        url.password = 'sesame-4711';
      },
      { code: 'STORE_UNREACHABLE', retriable: false },
    ],
  ];

  test.each(failures)('%s says so, with a way out and without the password', async (_, change, expected) => {
    const url = new URL(database.url);
    change(url);
    const connecting = new Store({ connectionString: url.toString(), pipeline: 'p', schema });
    const error = await rejection(connecting.open());
    expect(error).toMatchObject(expected);
    expect(error.hint ?? error.message).toMatch(/\w/);
    for (const text of [JSON.stringify(error), error.message, String(error.cause), JSON.stringify(error.cause)]) {
      expect(text).not.toContain('sesame-4711');
    }
    await connecting.close();
  });

  test('a server that asks for passwords, and restarts', async () => {
    // Its own: the server of a variable may trust everybody.
    const owned = await postgresService({ owned: true });
    const url = new URL(owned.url);
    for (const [password, expected] of [
      ['sesame-4711', { code: 'STORE_AUTHENTICATION_FAILED', foreignCode: '28P01', retriable: false }],
      ['', { code: 'STORE_AUTHENTICATION_FAILED', retriable: false }],
    ] as const) {
      url.password = password;
      const connecting = new Store({ connectionString: url.toString(), pipeline: 'p' });
      const error = await rejection(connecting.open());
      expect(error).toMatchObject(expected);
      expect(error.hint).toMatch(/password/);
      expect(`${JSON.stringify(error)} ${error.message} ${error.cause}`).not.toContain('sesame-4711');
    }
    const survivor = new Store({ connectionString: owned.url, pipeline: 'p' });
    await survivor.open();
    await survivor.initialise([{ ...place, nextOffset: 5n, topicId: 'id' }]);
    await owned.restart('immediate', async () => {
      expect(await rejection(survivor.registerOwner(self))).toMatchObject({
        code: 'STORE_UNREACHABLE',
        retriable: true,
      });
    });
    await survivor.registerOwner(self);
    expect((await survivor.read())[0]?.nextOffset).toBe(5n);
    await survivor.close();
    await owned.stop();
  });

  test('a text that is no URL is refused without quoting it', async () => {
    const connecting = new Store({
      connectionString: 'postgres://user:sesame-4711@host:port/db',
      pipeline: 'p',
      schema,
    });
    const error = await rejection(connecting.open());
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.cause).toBeUndefined();
    expect(JSON.stringify(error)).not.toContain('sesame-4711');
  });

  test('carries the instance id whatever the URL says', async () => {
    const url = `${database.url}?application_name=mine&connect_timeout=5&fallback_application_name=x`;
    const client = await openConnection({ connectionString: url, applicationName: 'tidemark:one' });
    const { rows } = await client.query('SHOW application_name');
    expect(rows).toEqual([{ application_name: 'tidemark:one' }]);
    await client.end();
  });

  test('a client that nobody uses can lose its connection without harm', async () => {
    const client = await openConnection({ connectionString: database.url, applicationName: 'tidemark:idle' });
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const ended = new Promise((resolve) => client.once('end', resolve));
    await places.sql('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
  });
});

test('owners that are long gone and hold nothing are forgotten by the next process', async () => {
  await begin();
  const held = await claim();
  const s = quoteIdentifier(schema);
  for (const name of ['gone', 'recent']) {
    await places.sql(
      `INSERT INTO ${s}.owners (pipeline, instance_id, host, boot_id, pid) VALUES ('conformance', $1, 'h', '', 1)`,
      [name],
    );
  }
  await places.sql(`UPDATE ${s}.owners SET seen_at = now() - interval '8 days' WHERE instance_id <> 'recent'`);
  await observer.registerOwner({ ...self, instanceId: 'next' });
  expect((await observer.owners()).map(({ instanceId }) => instanceId)).toEqual(['next', 'recent', self.instanceId]);
  expect(await store.release([held])).toEqual([true]);
});

test('ten thousand partitions are inserted, claimed, looked up and released in one request each', async () => {
  const patient = places.newStore({ schema, requestDeadlineMs: 30_000 });
  await patient.registerOwner(self);
  const partitions = Array.from({ length: 10_000 }, (_, partition) => partition);
  await patient.initialise(
    partitions.map((partition) => ({ topic: 'wide', partition, nextOffset: 7n, topicId: 'id' })),
  );
  const outcomes = await patient.claim(partitions.map((partition) => ({ topic: 'wide', partition, seenClaim: null })));
  const held = outcomes.flatMap((outcome) => (outcome.claimed ? [outcome.held] : []));
  expect(held).toHaveLength(10_000);
  const newest = await Promise.all(held.map((one) => patient.newestRange(one)));
  expect(newest.every((range) => range?.untilOffset === 7n)).toBe(true);
  expect((await patient.release(held)).every(Boolean)).toBe(true);
});
