import { availableParallelism, loadavg } from 'node:os';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresPlace } from '../../src/offsets/stores/postgres/index.ts';
import {
  comparePositions,
  describeProgress,
  exportText,
  lateWarning,
  listProgress,
  type OpenProgress,
  openProgress,
  readLagSeconds,
  readPositions,
  reset,
  summariseLag,
} from '../../src/operations/index.ts';
import { identifyProcess } from '../../src/platform/index.ts';
import { MemoryCluster } from '../../src/testkit/memory/index.ts';
import { postgresService, type TestDatabase } from '../services/index.ts';

/** What an operator waits for at most, of any command, on a machine that has nothing else to do. */
const idleBudgetMs = 3000;
/** Here others run beside it: processes that are ready to run share the cores. */
const budget = () => idleBudgetMs * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
const onBusyMachines = { retry: 2 };
const topics = Array.from({ length: 10 }, (_, index) => `topic-${index}`);
const partitionsOfTopic = 1000;
const partitionCount = topics.length * partitionsOfTopic;

let database: TestDatabase;
let place: PostgresPlace;
let progress: OpenProgress;
const cluster = new MemoryCluster();
const identity = identifyProcess();

beforeAll(async () => {
  const postgres = await postgresService();
  database = await postgres.createDatabase('offsetsScale');
  place = new PostgresPlace({ connectionString: database.url });
  const first = topics.flatMap((topic) => {
    const topicId = cluster.createTopic(topic, { partitions: partitionsOfTopic });
    return Array.from({ length: partitionsOfTopic }, (_, partition) => {
      cluster.produce(topic, partition, [{ value: 'one' }, { value: 'two' }]);
      return { topic, partition, topicId, nextOffset: 1n };
    });
  });
  progress = await openProgress({ pipeline: 'wide', place, driver: cluster.driver(), groupId: 'wide' }, 'use');
  await progress.store.initialise(first);
  await progress.store.registerOwner(identity);
  const claimed = await progress.store.claim(
    first.map(({ topic, partition }) => ({ topic, partition, seenClaim: null })),
  );
  expect(claimed.every((outcome) => outcome.claimed)).toBe(true);
  await writeHistory(database.url);
});

/** Rows of the history behind those of the first positions, four for each partition, as if they had been committed. */
async function writeHistory(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(`
      INSERT INTO tidemark.ranges
      SELECT (jsonb_populate_record(first, jsonb_build_object('seq', first.seq + behind, 'kind', 'batch'))).*
        FROM tidemark.ranges first, generate_series(1, 4) behind;
      ANALYZE`);
  } finally {
    await client.end();
  }
}

afterAll(async () => {
  await progress.close();
  await database.drop();
});

/** Runs it once, and answers what it took with what it gave. */
async function timed<T>(work: () => Promise<T>): Promise<{ readonly tookMs: number; readonly result: T }> {
  const beganMs = performance.now();
  const result = await work();
  return { tookMs: performance.now() - beganMs, result };
}

test(
  'describe: ten thousand partitions, as many with their lag in seconds as come in time',
  onBusyMachines,
  async () => {
    await progress.store.registerOwner(identity);
    const { tookMs, result } = await timed(() => describeProgress(progress, { choice: [] }));
    expect(result.partitions).toHaveLength(partitionCount);
    expect(result.partitions.every(({ lag, owner }) => lag === 1n && owner?.isAlive)).toBe(true);
    expect(result.partitions.every(({ lastCommitMs }) => lastCommitMs !== undefined)).toBe(true);
    // So many records need not come in the time there is for them; those that did not are said to be unknown.
    const unknown = result.partitions.filter(({ lagSeconds }) => lagSeconds === undefined).length;
    expect(unknown).toBeLessThan(partitionCount);
    expect(result.warnings).toEqual(lateWarning(unknown));
    expect(tookMs).toBeLessThan(budget());
  },
);

test('lag', onBusyMachines, async () => {
  const { tookMs, result } = await timed(async () => {
    const positions = await readPositions(progress, []);
    return summariseLag(positions, await readLagSeconds(progress.driver, positions));
  });
  expect(result.total).toMatchObject({ partitions: partitionCount, lag: BigInt(partitionCount), lagUnknown: 0 });
  expect(tookMs).toBeLessThan(budget());
});

test('list', onBusyMachines, async () => {
  const { tookMs, result } = await timed(() => listProgress({ place, driver: progress.driver }));
  expect(result).toMatchObject([{ name: 'wide', partitions: partitionCount, lag: BigInt(partitionCount) }]);
  expect(tookMs).toBeLessThan(budget());
});

test('export', onBusyMachines, async () => {
  const { tookMs, result } = await timed(async () => exportText(await progress.store.read(), 'wide', Date.now()));
  expect(JSON.parse(result).positions).toHaveLength(partitionCount);
  expect(tookMs).toBeLessThan(budget());
});

test('diff', onBusyMachines, async () => {
  const rows = await progress.store.read();
  const options = { choice: [], pipeline: 'wide' };
  const left = rows.map(({ topic, partition, nextOffset: offset }) => ({ topic, partition, offset: offset + 1n }));
  const { tookMs, result } = await timed(async () => {
    const right = (await progress.store.read()).map(({ nextOffset: offset, ...of }) => ({ ...of, offset }));
    return comparePositions(left, right, options);
  });
  expect(result).toHaveLength(partitionCount);
  expect(tookMs).toBeLessThan(budget());
});

test('reset, while a process holds every partition', onBusyMachines, async () => {
  const rows = await progress.store.read();
  await progress.store.claim(rows.map(({ topic, partition, claim }) => ({ topic, partition, seenClaim: claim })));
  const options = { choice: [], target: { to: 'latest' }, by: 'operator', execute: true } as const;
  const { tookMs, result } = await timed(() => reset(progress, options));
  expect(result.moves).toHaveLength(partitionCount);
  expect((await progress.store.read()).every(({ nextOffset, claim }) => nextOffset === 2n && claim === null)).toBe(
    true,
  );
  expect(tookMs).toBeLessThan(budget());
});
