import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunk, nextOffsets, write } from '../../src/testkit/sinkConformance/process.ts';
import { guardedDirectory, spawnGuarded, tailOf } from '../services/guard.ts';
import { waitUntil } from '../services/index.ts';
import { type SinkFixture, sinkFixture } from '../support/sinkFixture.ts';

let fixture: SinkFixture;

beforeAll(async () => {
  fixture = await sinkFixture('frozen');
});
afterAll(() => fixture.close());

/** More rows than the server collects before it writes them: their keys are in the index while the process is frozen. */
const count = 5_000;

test('a process frozen in mid-COPY does not block its successor, and leaves nothing when it wakes up', async () => {
  await fixture.query(
    'CREATE TABLE keyed (partition int, "offset" bigint, value text, PRIMARY KEY (partition, "offset"))',
  );
  const pipeline = 'frozen';
  const logFile = join(guardedDirectory('frozen'), 'worker.log');
  const run = JSON.stringify({ url: fixture.database.url, table: 'keyed', pipeline, count });
  const worker = await spawnGuarded({
    name: 'frozen worker',
    command: process.execPath,
    args: [
      '--import',
      import.meta.resolve('jiti/register'),
      fileURLToPath(new URL('./frozenCopyWorker.ts', import.meta.url)),
      run,
    ],
    stopSignal: 'KILL',
    logFile,
    env: { TIDEMARK_FAILPOINT: 'sink.midCopy:stop' },
  });
  const giveUp = async () => {
    if (!worker.alive()) throw new Error(`the worker ended:\n${tailOf(logFile)}`);
  };
  const isFrozen = () => readFileSync(`/proc/${worker.pid}/stat`, 'utf8').split(' ')[2] === 'T';
  await waitUntil('the worker to freeze', isFrozen, { giveUp });
  const copying =
    "FROM pg_stat_activity WHERE query LIKE '%COPY%keyed%' AND datname = current_database() AND pid <> pg_backend_pid()";
  await waitUntil('its keys to be written', async () => {
    const waiting = await fixture.query(`SELECT ${copying} AND state = 'active' AND wait_event = 'ClientRead'`);
    return waiting.length === 1;
  });

  // Without help it would wait for lock_timeout, again and again: the frozen transaction ends with the process only.
  const successor = await fixture.start({ table: 'keyed', pipeline, lockTimeoutMs: 20_000 });
  const records = chunk(
    0,
    0n,
    Array.from({ length: count }, (_, index) => `awake ${index}`),
  );
  const started = performance.now();
  await write(successor, records);
  expect(performance.now() - started).toBeLessThan(15_000);
  expect(await fixture.query(`SELECT ${copying} AND state = 'active'`)).toStrictEqual([]);

  process.kill(worker.pid, 'SIGCONT');
  expect(await worker.ended(), tailOf(logFile)).toMatchObject({ code: 0 });
  const told = JSON.parse(readFileSync(logFile, 'utf8').trim().split('\n').at(-1) ?? '{}') as {
    readonly outcome?: string;
  };
  expect(['COMMIT_IN_DOUBT', 'SINK_UNREACHABLE', 'SINK_REQUEST_FAILED']).toContain(told.outcome);
  expect(await nextOffsets(successor.store)).toStrictEqual([BigInt(count), 0n, 0n]);
  const stored = await fixture.query<{ kind: string; n: string }>(
    "SELECT split_part(value, ' ', 1) AS kind, count(*) AS n FROM keyed GROUP BY 1",
  );
  expect(stored).toStrictEqual([{ kind: 'awake', n: String(count) }]);
});
