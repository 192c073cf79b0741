import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  appendAll,
  chunk,
  commitOf,
  failureOf,
  nextOffsets,
  type SinkProcess,
  topic,
  write,
} from '../../../../src/testkit/sinkConformance/process.ts';
import { postgresService, type TcpProxy, tcpProxy, waitUntil } from '../../../services/index.ts';
import { type SinkFixture, sinkFixture } from '../../../support/sinkFixture.ts';

let fixture: SinkFixture;
let proxy: TcpProxy;
let tables = 0;

beforeAll(async () => {
  fixture = await sinkFixture('doubt');
  proxy = await tcpProxy(await postgresService());
});
afterAll(async () => {
  proxy.resume();
  await fixture.close();
  await proxy.close();
});

const large = Array.from({ length: 3_000 }, (_, index) => `${index} ${'v'.repeat(100)}`);

/** A process whose way to the database leads through the proxy, and a table of its own. */
async function target(commitTimeoutMs = 30_000): Promise<{ readonly table: string; readonly process: SinkProcess }> {
  tables += 1;
  const table = `t${tables}`;
  await fixture.query(`CREATE TABLE ${table} ("offset" bigint, value text)`);
  const url = new URL(fixture.database.url);
  url.hostname = proxy.host;
  url.port = String(proxy.port);
  return { table, process: await fixture.start({ table, connectionString: url.toString(), commitTimeoutMs }) };
}

const isCommit = (data: Buffer) => data.includes('commit_range');

async function rows(table: string): Promise<number> {
  return (await fixture.query(`SELECT FROM ${table}`)).length;
}

/** What the ledger says once nothing of the old transaction runs any more: a fresh claim fences even that. */
async function truth(process: SinkProcess): Promise<bigint | undefined> {
  proxy.resume();
  const [row] = await process.store.read([topic]);
  const [outcome] = await process.store.claim([{ topic, partition: 0, seenClaim: row?.claim ?? null }]);
  if (outcome?.claimed !== true) throw new Error('not claimed');
  process.claims = [outcome.held, ...process.claims.slice(1)];
  return (await nextOffsets(process.store))[0];
}

test.each([
  ['a small', ['a', 'b', 'c']],
  ['a large', large],
])('%s commit whose answer is lost is in doubt, and it happened', async (_size, values) => {
  const { table, process } = await target();
  const records = chunk(0, 0n, values);
  const transaction = await process.sink.begin([records]);
  await appendAll(transaction, records);
  proxy.blackholeReplies();
  const failed = failureOf(transaction.commitRanges([commitOf(process, records, values.length)]));
  await waitUntil('the commit to happen', async () => (await rows(table)) === values.length);
  proxy.cut();
  expect(await failed).toMatchObject({ code: 'COMMIT_IN_DOUBT', retriable: false, topic, partition: 0 });
  await transaction.abort();
  expect(await truth(process)).toBe(BigInt(values.length));
  await write(process, chunk(0, BigInt(values.length), ['next']));
  expect(await rows(table)).toBe(values.length + 1);
});

test.each([
  ['a small', ['a', 'b', 'c']],
  ['a large', large],
])('%s commit that never arrives is in doubt, and it did not happen', async (_size, values) => {
  const { table, process } = await target();
  proxy.onClientData((data) => (isCommit(data) ? 'cut' : 'pass'));
  const records = chunk(0, 0n, values);
  expect(await failureOf(write(process, records))).toMatchObject({ code: 'COMMIT_IN_DOUBT' });
  expect(await truth(process)).toBe(0n);
  expect(await rows(table)).toBe(0);
  await write(process, records);
  expect(await rows(table)).toBe(values.length);
});

test('a commit without an answer is in doubt after its deadline', async () => {
  const { table, process } = await target(300);
  const records = chunk(0, 0n, ['a']);
  const transaction = await process.sink.begin([records]);
  await appendAll(transaction, records);
  proxy.blackholeReplies();
  const error = await failureOf(transaction.commitRanges([commitOf(process, records, 1)]));
  expect(error).toMatchObject({ code: 'COMMIT_IN_DOUBT' });
  expect(error.message).toContain('no answer within 300 ms');
  await waitUntil('the commit to happen', async () => (await rows(table)) === 1);
  expect(await truth(process)).toBe(1n);
});

test('a server that takes no more data is given up after the deadline, and it can be retried', async () => {
  const { table, process } = await target(500);
  // More than all buffers on the way hold.
  const records = chunk(
    0,
    0n,
    Array.from({ length: 400 }, () => 'v'.repeat(100_000)),
  );
  const transaction = await process.sink.begin([records]);
  proxy.pause('toServer');
  const error = await failureOf(appendAll(transaction, records));
  expect(error).toMatchObject({ code: 'SINK_UNREACHABLE', retriable: true });
  expect(error.message).toContain('no answer within 500 ms');
  await transaction.abort();
  proxy.resume();
  await write(process, chunk(0, 0n, ['a']));
  expect(await rows(table)).toBe(1);
});

test('connections that broke while nobody used them are replaced', async () => {
  const { table, process } = await target();
  for (let offset = 0n; offset < 3n; offset += 1n) {
    await Promise.all([0, 1].map((partition) => write(process, chunk(partition, offset, ['a']))));
    proxy.cut();
    await waitUntil('the connections to be gone', () => proxy.connections === 0);
  }
  expect(await rows(table)).toBe(6);
});

test('a database that is away can be retried, and is used again when it is back', async () => {
  const { table, process } = await target();
  await write(process, chunk(0, 0n, ['a']));
  await proxy.refuse(true);
  proxy.cut();
  await waitUntil('the connections to be gone', () => proxy.connections === 0);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    expect(await failureOf(write(process, chunk(0, 1n, ['b'])))).toMatchObject({
      code: 'SINK_UNREACHABLE',
      retriable: true,
    });
  }
  await proxy.refuse(false);
  await write(process, chunk(0, 1n, ['b']));
  expect(await rows(table)).toBe(2);
});

test('a sink closes under a server that went silent, whatever is pending', async () => {
  const { table, process } = await target();
  const other = chunk(1, 0n, ['b']);
  await Promise.all([write(process, chunk(0, 0n, ['a'])), write(process, other)]);
  const records = chunk(0, 1n, large);
  const transaction = await process.sink.begin([records]);
  const idle = await process.sink.begin([other]);
  proxy.pause();
  await appendAll(transaction, records);
  const commit = failureOf(transaction.commitRanges([commitOf(process, records, large.length)]));
  const waiting = failureOf(process.sink.begin([other]));
  const started = performance.now();
  await process.sink.close();
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(await commit).toMatchObject({ code: 'COMMIT_IN_DOUBT' });
  expect(await waiting).toMatchObject({ code: 'PIPELINE_STATE' });
  await Promise.all([transaction.abort(), idle.abort()]);
  proxy.cut();
  proxy.resume();
  expect(await rows(table)).toBe(2);
});
