import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { beginText, endText, transactionGuard } from '../../../../src/sinks/postgres/commitText.ts';
import { postgresService, type TestDatabase } from '../../../services/index.ts';

let database: TestDatabase;
let client: Client;

beforeAll(async () => {
  database = await (await postgresService()).createDatabase('texts');
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE ledger (n int)');
});
afterAll(async () => {
  await client.end();
  await database.drop();
});
beforeEach(async () => {
  await client.query('ROLLBACK');
  await client.query('TRUNCATE ledger');
});

const begin = beginText({ lock_timeout: 1000 });
const ledger = 'INSERT INTO ledger VALUES (1)';
const end = endText(transactionGuard, ledger);
const state = (error: unknown) => (error as { readonly code?: string }).code;
const rows = async () => (await client.query('SELECT FROM ledger')).rowCount;

test('the last string commits the transaction that was begun', async () => {
  await client.query(begin);
  await client.query(end);
  expect(await rows()).toBe(1);
});

/** The way the string would go without its guard: shows that the tests below can fail. */
test('without the guard a string that runs outside of its transaction commits the ledger alone', async () => {
  await client.query(`SET CONSTRAINTS ALL IMMEDIATE;${ledger};COMMIT`);
  expect(await rows()).toBe(1);
});

test.each([
  ['no transaction was begun', async () => {}],
  ['BEGIN itself failed', async () => client.query(`SELECT 1/0;${begin}`).catch(() => {})],
  ['somebody ended the transaction', async () => client.query(`${begin};COMMIT`)],
  ['somebody ended it and began another', async () => client.query(`${begin};COMMIT;BEGIN`)],
])('when %s, the last string changes nothing', async (_why, prepare) => {
  await prepare();
  const error = await client.query(end).catch((failure: unknown) => failure);
  expect((error as Error).message).toContain('tidemark: not in the transaction');
  await client.query('ROLLBACK');
  expect(await rows()).toBe(0);
});

test('after a statement that failed, the last string ends at its first statement', async () => {
  await client.query(begin);
  await client.query('SELECT 1/0').catch(() => {});
  expect(state(await client.query(end).catch((error: unknown) => error))).toBe('25P02');
  await client.query('ROLLBACK');
  expect(await rows()).toBe(0);
});

test('nothing of a transaction outlives it', async () => {
  const settings = async () =>
    (
      await client.query(
        "SELECT current_setting('lock_timeout') AS l, current_setting('tidemark.transaction', true) AS t",
      )
    ).rows[0];
  const before = (await settings()) as { l: string };
  await client.query(begin);
  expect(await settings()).toStrictEqual({ l: '1s', t: 'open' });
  await client.query(end);
  expect(await settings()).toStrictEqual({ l: before.l, t: '' });
});
