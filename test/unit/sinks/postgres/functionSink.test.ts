import { afterAll, beforeAll, expect, test } from 'vitest';
import { OffsetRange } from '../../../../src/model/index.ts';
import {
  postgres,
  type TransactionBatch,
  type TransactionClient,
  type TransactionFunction,
  type TransactionOptions,
} from '../../../../src/sinks/postgres/index.ts';
import {
  appendAll,
  appendRows,
  chunk,
  commitOf,
  failureOf,
  nextOffsets,
  type SinkProcess,
  startProcess,
  topic,
  write,
} from '../../../../src/testkit/sinkConformance/process.ts';
import { type SinkFixture, sinkFixture } from '../../../support/sinkFixture.ts';

let fixture: SinkFixture;
const processes: SinkProcess[] = [];

beforeAll(async () => {
  fixture = await sinkFixture('functions');
  await fixture.query('CREATE TABLE sums (name text PRIMARY KEY, total int CHECK (total <> 13))');
});
afterAll(async () => {
  for (const process of processes) await process.close();
  await fixture.close();
});

async function start(run: TransactionFunction, options: TransactionOptions = {}): Promise<SinkProcess> {
  await fixture.query('TRUNCATE sums');
  const definition = postgres.transaction(run, { connectionString: fixture.database.url, ...options });
  const pipeline = `functions-${processes.length}`;
  const process = await startProcess({ newSink: (context) => definition.createSink({ ...context, pipeline }) });
  processes.push(process);
  return process;
}

const insert = "INSERT INTO sums VALUES ('a', 1)";
const sums = () => fixture.query('SELECT * FROM sums ORDER BY name');
const records = chunk(0, 0n, ['x', 'y']);

/** The error of a function's run; nothing of it is left, and the sink still works. */
async function failing(run: TransactionFunction, options: TransactionOptions = {}) {
  let isFirst = true;
  const process = await start(async (batch, client) => {
    if (!isFirst) return;
    isFirst = false;
    await run(batch, client);
  }, options);
  const error = await failureOf(write(process, records));
  expect(await nextOffsets(process.store)).toStrictEqual([0n, 0n, 0n]);
  const left = await sums();
  await write(process, records);
  expect(await nextOffsets(process.store)).toStrictEqual([2n, 0n, 0n]);
  return { error, left };
}

test('the function gets the records of each partition, and its SQL is committed with their offsets', async () => {
  const batches: TransactionBatch[] = [];
  const process = await start(async (batch, client) => {
    batches.push(batch);
    for (const record of batch.records) {
      await client.query('INSERT INTO sums VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET total = sums.total + 1', [
        record.text(),
      ]);
    }
    const seen = await client.query<{ total: number }>({
      text: 'SELECT total FROM sums WHERE name = $1',
      values: ['x'],
    });
    expect(seen.rows[0]?.total).toBe(2);
  });
  await write(process, chunk(0, 0n, ['x', 'y', 'x']));
  expect(await sums()).toStrictEqual([
    { name: 'x', total: 2 },
    { name: 'y', total: 1 },
  ]);
  const [batch] = batches;
  expect(batch?.ranges).toStrictEqual([new OffsetRange(topic, 0, 0n, 3n)]);
  expect(batch?.batchTimeMs).toBe(1_700_000_000_000);
  expect(batch?.records.map(({ offset, partition }) => [partition, offset])).toStrictEqual([
    [0, 0n],
    [0, 1n],
    [0, 2n],
  ]);
  expect(batch?.rows).toStrictEqual([]);
});

test('with a transform it gets the rows beside their records, over all partitions of a transaction', async () => {
  const batches: TransactionBatch[] = [];
  const process = await start((batch) => {
    batches.push(batch);
  });
  const parts = [chunk(0, 0n, ['a', 'b']), chunk(1, 0n, ['c'])];
  const transaction = await process.sink.begin(parts);
  for (const part of parts) {
    appendRows(transaction, part, (offset) => (offset === 1n ? [] : [{ n: 1 }, { n: 2 }]));
  }
  await transaction.commitRanges(parts.map((part) => commitOf(process, part, 1)));
  expect(batches[0]?.ranges).toHaveLength(2);
  expect(batches[0]?.records.map((record) => record.text())).toStrictEqual(['a', 'c']);
  expect(batches[0]?.rows.map(({ record, row }) => [record.text(), row.n])).toStrictEqual([
    ['a', 1],
    ['a', 2],
    ['c', 1],
    ['c', 2],
  ]);
});

test('a function that throws takes everything back', async () => {
  const { error, left } = await failing(async (_batch, client) => {
    await client.query(insert);
    throw new TypeError('not today');
  });
  expect(error).toMatchObject({ code: 'SINK_REFUSED', retriable: false });
  expect(error.message).toContain('not today');
  expect(left).toStrictEqual([]);
});

test('a record that the function cannot read is named, so that the record policy applies', async () => {
  const { error } = await failing((batch) => {
    for (const record of batch.records) record.json();
  });
  expect(error).toMatchObject({ code: 'SINK_REFUSED', topic, partition: 0, offset: 0n });
});

test('a statement that the database refuses takes everything back', async () => {
  const { error, left } = await failing(async (_batch, client) => {
    await client.query(insert);
    await client.query("INSERT INTO sums VALUES ('b', 13)");
  });
  expect(error).toMatchObject({ code: 'SINK_REFUSED', foreignCode: '23514' });
  expect(left).toStrictEqual([]);
});

test('a failed statement whose error the function passes over is noticed', async () => {
  const { error, left } = await failing(async (_batch, client) => {
    await client.query(insert);
    await client.query('SELECT 1/0').catch(() => {});
  });
  expect(error).toMatchObject({ code: 'SINK_TRANSACTION_ENDED', retriable: false });
  expect(error.message).toContain('failed, and the function returned all the same');
  expect(left).toStrictEqual([]);
});

test('savepoints are free to use', async () => {
  const process = await start(async (_batch, client) => {
    await client.query(insert);
    await client.query('SAVEPOINT here');
    await client.query('SELECT 1/0').catch(() => {});
    await client.query('ROLLBACK TO here');
    await client.query('ROLLBACK TO SAVEPOINT here');
    await client.query('RELEASE here');
  });
  await write(process, records);
  expect(await sums()).toStrictEqual([{ name: 'a', total: 1 }]);
});

test.each([
  'COMMIT',
  'rollback',
  'BEGIN',
  'START  TRANSACTION',
  '/* x */ END;',
  '-- x\n abort',
  ';PREPARE TRANSACTION 1',
])('the function must not run %s', async (statement) => {
  const { error, left } = await failing(async (_batch, client) => {
    await client.query(insert);
    await client.query(statement);
  });
  expect(error.code).toBe('SINK_TRANSACTION_ENDED');
  expect(error.message).toContain('The function of the sink must not run');
  expect(left).toStrictEqual([]);
});

const late = "INSERT INTO sums VALUES ('late', 1)";

test.each([
  ['', 'SELECT 1; COMMIT'],
  [' and begun again', 'SELECT 1; COMMIT; BEGIN'],
  [' and chained', 'SELECT 1; COMMIT AND CHAIN'],
  [' and marked as the old one', 'SELECT 1; COMMIT; BEGIN; SET LOCAL tidemark.transaction = open'],
])(
  'a transaction that was committed%s where it could not be seen before is told of at once',
  async (_how, statement) => {
    const { error, left } = await failing(async (_batch, client) => {
      await client.query(insert);
      await client.query(statement);
      await client.query(late);
    });
    expect(error).toMatchObject({ code: 'SINK_TRANSACTION_ENDED', retriable: false });
    expect(error.message).toContain('ended its transaction with COMMIT');
    expect(error.hint).toContain('Remove what it committed');
    // What it made visible nobody can take back; nothing comes after it.
    expect(left).toStrictEqual([{ name: 'a', total: 1 }]);
  },
);

test.each<[string, TransactionFunction]>([
  [
    'throws afterwards',
    () => {
      throw new Error('not today');
    },
  ],
  ['loses its connection afterwards', (_batch, client) => endBackend(client)],
  [
    'passes over a failed statement afterwards',
    (_batch, client) => client.query('SELECT 1/0').then(undefined, () => {}),
  ],
  ['never returns', () => new Promise(() => {})],
])('a COMMIT of a function that %s is what the error is about', async (_what, afterwards) => {
  const { error } = await failing(async (batch, client) => {
    await client.query(insert);
    await client.query('SELECT 1; COMMIT; BEGIN');
    await afterwards(batch, client);
  });
  expect(error).toMatchObject({ code: 'SINK_TRANSACTION_ENDED', retriable: false });
  expect(error.message).toContain('ended its transaction with COMMIT');
});

async function endBackend(client: TransactionClient): Promise<void> {
  await client.query('SELECT pg_terminate_backend(pg_backend_pid())');
}

test.each([
  ['rolled back', 'SELECT 1; ROLLBACK'],
  ['rolled back and begun again', 'SELECT 1; ROLLBACK; BEGIN'],
  ['rolled back and chained', 'SELECT 1; ROLLBACK AND CHAIN'],
])(
  'a transaction that was %s where it could not be seen before is never committed with the ledger',
  async (_, statement) => {
    const { error } = await failing(async (_batch, client) => {
      await client.query(insert);
      await client.query(statement);
      await client.query(late).catch(() => {});
    });
    expect(error).toMatchObject({ code: 'SINK_TRANSACTION_ENDED', retriable: false });
  },
);

test('a procedure that would commit cannot', async () => {
  await fixture.query(
    `CREATE PROCEDURE committing() LANGUAGE plpgsql AS 'BEGIN ${insert.replaceAll("'", "''")}; COMMIT; END'`,
  );
  const { error, left } = await failing(async (_batch, client) => void (await client.query('CALL committing()')));
  expect(error).toMatchObject({ code: 'SINK_REQUEST_FAILED', foreignCode: '2D000' });
  expect(left).toStrictEqual([]);
});

test('queries that are not awaited are part of the transaction; later ones are refused', async () => {
  let late: Promise<unknown> | undefined;
  const process = await start((_batch, client) => {
    void client.query(insert);
    late = new Promise((resolve) => {
      setImmediate(() => {
        try {
          resolve(client.query(insert));
        } catch (error) {
          resolve(error);
        }
      });
    });
  });
  await write(process, records);
  expect(await sums()).toStrictEqual([{ name: 'a', total: 1 }]);
  expect(await late).toMatchObject({ code: 'PIPELINE_STATE' });
});

test('a function that never comes to its end is ended by the server', async () => {
  const { error } = await failing(() => new Promise(() => {}), { idleTimeoutMs: 100 });
  expect(error).toMatchObject({ code: 'SINK_UNREACHABLE', retriable: true });
  expect(error.message).toContain('idle-in-transaction');
});

test('an abort ends a function that is still running', async () => {
  let isRunning = () => {};
  const running = new Promise<void>((resolve) => {
    isRunning = resolve;
  });
  const process = await start(async (_batch, client) => {
    await client.query(insert);
    isRunning();
    await client.query('SELECT pg_sleep(60)');
  });
  const transaction = await process.sink.begin([records]);
  await appendAll(transaction, records);
  const failed = failureOf(transaction.commitRanges([commitOf(process, records, 2)]));
  await running;
  await transaction.abort();
  expect(await failed).toMatchObject({ code: 'PIPELINE_STATE' });
  expect(await sums()).toStrictEqual([]);
}, 20_000);

test('a lock that is not given up can be retried', async () => {
  await fixture.query('BEGIN; LOCK TABLE sums');
  const process = await startProcess({
    newSink: (context) =>
      postgres
        .transaction(async (_batch, client) => void (await client.query(insert)), {
          connectionString: fixture.database.url,
          lockTimeoutMs: 100,
        })
        .createSink({ ...context, pipeline: 'locked' }),
  });
  processes.push(process);
  expect(await failureOf(write(process, records))).toMatchObject({ retriable: true, foreignCode: '55P03' });
  await fixture.query('ROLLBACK');
  await write(process, records);
});
