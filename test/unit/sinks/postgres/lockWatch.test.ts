import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PostgresStore } from '../../../../src/offsets/stores/postgres/index.ts';
import { systemClock } from '../../../../src/platform/index.ts';
import { LockWatch } from '../../../../src/sinks/postgres/lockWatch.ts';
import { postgresService, type TestDatabase, waitUntil } from '../../../services/index.ts';

let database: TestDatabase;
let store: PostgresStore;
const clients: Client[] = [];
const place = { topic: 'orders', partition: 0 };

async function connect(applicationName: string): Promise<Client> {
  const client = new Client({ connectionString: database.url, application_name: applicationName });
  client.on('error', () => {});
  await client.connect();
  clients.push(client);
  return client;
}

/** Makes a process known, and gives it the partition when it is to be the owner. */
async function register(instanceId: string, isOwner = false, pipeline = 'orders'): Promise<void> {
  const ledger = new PostgresStore({ connectionString: database.url, pipeline, instanceId });
  await ledger.registerOwner({ instanceId, host: 'h', bootId: 'b', pid: 1 });
  await ledger.initialise([{ ...place, nextOffset: 0n, topicId: 't' }]);
  if (isOwner) {
    const [row] = await ledger.read();
    await ledger.claim([{ ...place, seenClaim: row?.claim ?? null }]);
  }
  await ledger.close();
}

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('locks');
  store = new PostgresStore({ connectionString: database.url, pipeline: 'orders' });
  await store.open();
  const client = await connect('setup');
  await client.query('CREATE TABLE target (id int PRIMARY KEY)');
  await register('us', true);
});
beforeEach(async () => {
  await (clients[0] as Client).query('TRUNCATE target');
});
afterAll(async () => {
  await store.close();
  await Promise.all(clients.map((client) => client.end()));
  await database.drop();
});

/** Whether our statement gets past `blocker`, who holds a key that we want. `ledgerSchema` empty: the ledger is elsewhere. */
async function getsPast(
  blocker: Client,
  prepare?: (watch: LockWatch) => void,
  ledgerSchema = 'tidemark',
): Promise<boolean> {
  const ours = await connect('tidemark:us');
  let looks = 0;
  const watch = new LockWatch({
    clock: systemClock,
    connect: () => {
      looks += 1;
      return connect('tidemark:us');
    },
    pipeline: 'orders',
    ledgerSchema: ledgerSchema === '' ? undefined : ledgerSchema,
    applicationName: 'tidemark:us',
    everyMs: 20,
  });
  prepare?.(watch);
  await blocker.query('BEGIN');
  await blocker.query('INSERT INTO target VALUES (1)');
  const work = ours.query('INSERT INTO target VALUES (1)').then(
    () => true,
    () => false,
  );
  const over = watch.during(work);
  await Promise.race([over, waitUntil('some looks', () => looks > 5)]);
  await blocker.query('COMMIT').catch(() => {});
  const result = await over;
  await watch.close();
  return result;
}

test('a process that holds no claim any more is not waited for', async () => {
  await register('fenced');
  expect(await getsPast(await connect('tidemark:fenced'))).toBe(true);
});

test.each([
  ['that is the owner', 'tidemark:owner'],
  ['of another pipeline', 'tidemark:foreign'],
  ['that tidemark does not know', 'tidemark:unknown'],
  ['that has nothing to do with tidemark', 'psql'],
])('a process %s is waited for', async (_who, name) => {
  await register('foreign', false, 'payments');
  if (name === 'tidemark:owner') await register('owner', true);
  expect(await getsPast(await connect(name))).toBe(false);
});

test('a connection of ours is waited for, unless it was given up as lost', async () => {
  const living = await connect('tidemark:us');
  expect(await getsPast(living)).toBe(false);
  await (clients[0] as Client).query('TRUNCATE target');
  const lost = await connect('tidemark:us');
  const { processID } = lost as unknown as { readonly processID: number };
  expect(await getsPast(lost, (watch) => watch.abandon(processID))).toBe(true);
  await (clients[0] as Client).query('TRUNCATE target');
  const again = await connect('tidemark:us');
  const next = (again as unknown as { readonly processID: number }).processID;
  expect(
    await getsPast(again, (watch) => {
      watch.abandon(next);
      watch.adopt(next);
    }),
  ).toBe(false);
});

test('with the ledger elsewhere only what was given up as lost is not waited for', async () => {
  const elsewhere = '';
  await register('fenced');
  expect(await getsPast(await connect('tidemark:fenced'), undefined, elsewhere)).toBe(false);
  await (clients[0] as Client).query('TRUNCATE target');
  const lost = await connect('tidemark:us');
  const { processID } = lost as unknown as { readonly processID: number };
  expect(await getsPast(lost, (watch) => watch.abandon(processID), elsewhere)).toBe(true);
});

test('looks that fail leave the statement waiting', async () => {
  const ours = await connect('tidemark:us');
  let looks = 0;
  const watch = new LockWatch({
    clock: systemClock,
    connect: () => {
      looks += 1;
      return Promise.reject(new Error('no connection'));
    },
    pipeline: 'orders',
    ledgerSchema: 'tidemark',
    applicationName: 'tidemark:us',
    everyMs: 5,
  });
  const work = watch.during(ours.query('SELECT pg_sleep(0.2)'));
  await waitUntil('some looks', () => looks > 3);
  expect((await work).rowCount).toBe(1);
  await watch.close();
});
