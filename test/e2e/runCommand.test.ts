import { expect, test } from 'vitest';
import { waitUntil } from '../services/index.ts';
import { pipelineWorld } from '../support/pipelineWorld.ts';
import { startTidemark, tidemark } from '../support/tidemarkCommand.ts';

const orders = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ id: from + index }));

test('a run until the end commits what was there, reports it, and does nothing the second time', async () => {
  const world = await pipelineWorld({ partitions: 2 });
  await world.produce(orders(300), 0);
  await world.produce(orders(200, 300), 1);
  const file = await world.config();
  const options = { cwd: world.folder, environment: world.environment };

  const before = await tidemark(['offsets', 'lag', '--partitions', file], options);
  expect(before).toMatchObject({ code: 0, stderr: '' });
  expect(before.stdout).toMatch(/^TOPIC +PARTITION +STATE +STORED +LOG-END +LAG-OFFSETS +LAG-S\n/);
  expect(before.stdout).toMatch(/ 0 +not started +- +300 +- +-\n/);
  expect(await world.query("SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'")).toEqual([]);

  const first = await tidemark(['run', '--until-end', file], options);
  expect(first).toMatchObject({ code: 0, stdout: 'orders: done, 500 records, 500 rows, 0 dropped, 0 skipped\n' });
  expect(await world.query('SELECT count(*)::int AS n, count(DISTINCT id)::int AS ids FROM orders')).toEqual([
    { n: 500, ids: 500 },
  ]);

  const second = await tidemark(['run', '--until-end', '--json', file], options);
  expect(second.code).toBe(0);
  expect(JSON.parse(second.stdout)).toMatchObject({
    pipelines: [{ pipeline: 'orders', state: 'done', counts: { records: 0, rows: 0 }, unfinished: [] }],
    exitCode: 0,
  });

  await world.produce(orders(7, 1000), 1);
  const lag = await tidemark(['offsets', 'lag', '--json', '--fail-over', '7', file], options);
  expect(lag.code).toBe(0);
  expect(JSON.parse(lag.stdout)).toMatchObject({
    pipeline: 'orders',
    totalLag: '7',
    topics: [{ topic: world.topic, partitions: 2, lag: '7', lagMax: '7', lagUnknown: 0, states: { running: 2 } }],
    exceeded: 0,
    partitions: [
      { topic: world.topic, partition: 0, storedOffset: '300', logEndOffset: '300', lag: '0', state: 'running' },
      { partition: 1, storedOffset: '200', logEndOffset: '207', lag: '7' },
    ],
  });
  const over = await tidemark(['offsets', 'lag', '--fail-over', '6', file], options);
  expect(over).toMatchObject({ code: 5, stderr: `tidemark: ${world.topic}-1: lag 7 is over 6\n` });
  const wrong = await tidemark(['offsets', 'lag', '--topic', 'nope', file], options);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
});

test('--once commits one batch and ends', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(30));
  const file = await world.config({ batch: { maxRecordsPerPartition: 10 } });
  const result = await tidemark(['run', '--once', file], { cwd: world.folder, environment: world.environment });
  expect(result).toMatchObject({ code: 0, stdout: 'orders: done, 10 records, 10 rows, 0 dropped, 0 skipped\n' });
  expect(await world.committed()).toBe(10n);
});

test('a daemon serves health and metrics, follows the topic, and stops gracefully at SIGTERM', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(5));
  const file = await world.config({ http: { port: 0 } });
  const daemon = await startTidemark(['run', file], { cwd: world.folder, environment: world.environment });
  const url = await daemon.url();
  await waitUntil('it is ready', async () => (await fetch(`${url}/health/ready`)).status === 200);
  await waitUntil('the first records', async () => (await world.committed()) === 5n);
  await world.produce(orders(3, 5));
  await waitUntil('the later ones', async () => (await world.committed()) === 8n);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain(`tidemark_records_total{pipeline="orders",topic="${world.topic}",partition="0"} 8`);
  expect(metrics).toContain(`tidemark_committed_offset{pipeline="orders",topic="${world.topic}",partition="0"} 8`);
  daemon.signal('TERM');
  const { code, stdout } = await daemon.ended();
  expect([code, stdout]).toEqual([0, 'orders: stopped, 8 records, 8 rows, 0 dropped, 0 skipped\n']);
  // The claim was given back: a successor need not wait for a heartbeat to age.
  expect(await world.query('SELECT claim FROM tidemark.offsets')).toEqual([{ claim: null }]);
});

test('a partition that is parked turns readiness red and names the record; the others go on', async () => {
  const world = await pipelineWorld({ partitions: 2 });
  await world.produce(['{"id": 1}', 'not json', '{"id": 2}'], 0);
  const file = await world.config({ http: { port: 0 } });
  const daemon = await startTidemark(['run', file], { cwd: world.folder, environment: world.environment });
  const parked = await daemon.logged('Partition is parked and waits for a person');
  expect(parked).toMatchObject({
    level: 'error',
    topic: world.topic,
    partition: 0,
    offset: '1',
    code: 'RECORD_UNPARSABLE',
  });
  const url = await daemon.url();
  const ready = await fetch(`${url}/health/ready`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    ready: false,
    pipelines: [
      { state: 'parked', parked: [{ topic: world.topic, partition: 0, offset: '1', code: 'RECORD_UNPARSABLE' }] },
    ],
  });
  await world.produce(orders(4, 100), 1);
  await waitUntil('the other partition goes on', async () => (await world.committed(1)) === 4n);
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  // Rows before the bad record are committed, the ledger stands in front of it.
  expect(await world.committed(0)).toBe(1n);
  daemon.signal('TERM');
  expect(await daemon.ended()).toMatchObject({ code: 0 });

  const again = await tidemark(['run', '--until-end', file], { cwd: world.folder, environment: world.environment });
  expect(again.code).toBe(1);
  expect(again.stdout).toMatch(/^orders: failed, .*parked at 1\n$/);
});

test('records that expired unread end with 4, or are a gap where that is accepted', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(10));
  const options = { cwd: world.folder, environment: world.environment };
  const once = await world.config({ batch: { maxRecordsPerPartition: 5 } }, 'once.yaml');
  expect((await tidemark(['run', '--once', once], options)).code).toBe(0);
  await world.kafka.deleteRecords(world.topic, 0, 8n);

  const file = await world.config();
  expect((await tidemark(['offsets', 'lag', '--partitions', file], options)).stdout).toMatch(
    / 0 +records lost +5 +10 +5 +\d+\n/,
  );
  const toTheEnd = await tidemark(['run', '--until-end', file], options);
  expect([toTheEnd.code, toTheEnd.stdout]).toEqual([4, expect.stringMatching(/^orders: failed, .*parked at 5\n$/)]);
  // Every partition is parked: nothing is left to stay up for.
  const daemon = await tidemark(['run', '--json', file], options);
  expect(daemon.code).toBe(4);
  expect(JSON.parse(daemon.stdout)).toMatchObject({
    pipelines: [{ error: { code: 'DATA_LOSS', exitCode: 4 } }],
    exitCode: 4,
  });

  const accepting = await world.config({ source: { topics: [world.topic], onDataLoss: 'skip-forward' } });
  const accepted = await tidemark(['run', '--until-end', accepting], options);
  expect(accepted).toMatchObject({ code: 0, stdout: 'orders: done, 2 records, 2 rows, 0 dropped, 0 skipped\n' });
});

test('a second process stands by, and says 3 when it may not', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(1));
  const file = await world.config({ http: { port: 0 } });
  const options = { cwd: world.folder, environment: world.environment };
  const first = await startTidemark(['run', file], options);
  await waitUntil('the first works', async () => (await world.committed()) === 1n);
  const second = await startTidemark(['run', file], options);
  const url = await second.url();
  await waitUntil('the second stands by', async () => {
    const answer = await fetch(`${url}/health/ready`);
    const { pipelines } = (await answer.json()) as { pipelines: { state: string }[] };
    return answer.status === 200 && pipelines[0]?.state === 'standby';
  });
  const impatient = await tidemark(['run', '--no-standby', file], options);
  expect(impatient.code).toBe(3);
  expect(impatient.stderr).toContain('LEDGER_FENCED');
  expect(impatient.stderr).toContain('--take-over');
  first.signal('KILL');
  await world.produce(orders(1, 1));
  await waitUntil('the second takes over', async () => (await world.committed()) === 2n);
});

test('a second signal ends the process at once, with the code of that signal', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(1));
  await world.file(
    't.mjs',
    'export default () => { console.error("in the transform"); return new Promise(() => {}); };',
  );
  const file = await world.config({ transform: './t.mjs', stopTimeoutMs: 60_000 });
  for (const [signal, code] of [
    ['TERM', 143],
    ['INT', 130],
  ] as const) {
    const daemon = await startTidemark(['run', '--take-over', file], {
      cwd: world.folder,
      environment: world.environment,
    });
    await waitUntil('the transform hangs', () => daemon.stderr().includes('in the transform'));
    daemon.signal('TERM');
    await daemon.logged('Signal received, stopping gracefully');
    daemon.signal(signal);
    expect(await daemon.ended()).toMatchObject({ code });
  }
});

test('a stop that misses its deadline ends with 1 and leaves the ledger in front of the record', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(1));
  await world.file(
    't.mjs',
    'export default () => { console.error("in the transform"); return new Promise(() => {}); };',
  );
  const file = await world.config({ transform: './t.mjs', stopTimeoutMs: 300 });
  const daemon = await startTidemark(['run', file], { cwd: world.folder, environment: world.environment });
  await waitUntil('the transform hangs', () => daemon.stderr().includes('in the transform'));
  daemon.signal('TERM');
  const { code, stderr } = await daemon.ended();
  expect(code).toBe(1);
  expect(stderr).toContain('STOP_DEADLINE_MISSED');
  expect(await world.committed()).toBe(0n);
});

test('a transform that blocks the event loop: the process names the record and ends with 1', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(20));
  await world.file('t.mjs', 'export default (record) => { if (record.offset === 13n) for (;;) {} return { id: 1 }; };');
  const file = await world.config({
    transform: './t.mjs',
    transformTimeoutMs: 1000,
    sink: { type: 'postgres', connectionString: world.databaseUrl, table: 'public.orders' },
  });
  const daemon = await startTidemark(['run', file], { cwd: world.folder, environment: world.environment });
  const { code, stderr } = await daemon.ended();
  expect(code).toBe(1);
  expect(daemon.log().at(-1)).toMatchObject({
    level: 'fatal',
    msg: 'A transform blocks the event loop, the process ends',
    pipeline: 'orders',
    topic: world.topic,
    partition: 0,
    offset: '13',
    transformTimeoutMs: 1000,
  });
  expect(stderr.trimEnd().split('\n').at(-1)).toContain('A transform blocks the event loop');
  expect(await world.query('SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 0 }]);
});

test.each([
  ['a timer of the transform throws', 'setTimeout(() => { throw new Error("late: " + process.env.MY_TOKEN); }, 5);'],
  ['a promise nobody awaits rejects', 'Promise.reject(new Error("late: " + process.env.MY_TOKEN));'],
])('%s: the process says so and ends with 1', async (_, code) => {
  const world = await pipelineWorld();
  await world.produce(orders(1));
  await world.file('t.mjs', `export default () => { ${code} return new Promise(() => {}); };`);
  const file = await world.config({
    transform: './t.mjs',
    kafka: { brokers: world.brokers, clientId: '$' + '{MY_TOKEN}' },
  });
  const environment = { ...world.environment, MY_TOKEN: 'hush-hush' };
  const daemon = await startTidemark(['run', file], { cwd: world.folder, environment });
  const { code: exit, stderr } = await daemon.ended();
  expect(exit).toBe(1);
  expect(daemon.log().at(-1)).toMatchObject({
    level: 'fatal',
    msg: 'Something threw outside of every pipeline, the process ends',
    reason: 'late: ***',
    stack: expect.stringContaining('t.mjs'),
  });
  expect(stderr).not.toContain('hush-hush');
});

test('standard error holds log lines and nothing else, also with many partitions', async () => {
  const world = await pipelineWorld({ partitions: 16 });
  for (let partition = 0; partition < 16; partition += 1) await world.produce(orders(1, partition), partition);
  await world.file('t.mjs', 'export default async (record) => ({ id: record.partition });');
  const sink = { type: 'postgres', connectionString: world.databaseUrl, table: 'public.orders', columns: { id: 'id' } };
  const file = await world.config({ transform: './t.mjs', sink });
  const result = await tidemark(['run', '--until-end', file], { cwd: world.folder, environment: world.environment });
  expect(result).toMatchObject({ code: 0, stdout: 'orders: done, 16 records, 16 rows, 0 dropped, 0 skipped\n' });
  expect(result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))).toEqual([]);
});

test('two pipelines in one process, one listener for both', async () => {
  const world = await pipelineWorld();
  await world.produce(orders(3));
  const a = await world.config({ pipeline: 'a', http: { port: 0 } }, 'a.yaml');
  const b = await world.config({ pipeline: 'b' }, 'b.yaml');
  const daemon = await startTidemark(['run', a, b], { cwd: world.folder, environment: world.environment });
  const url = await daemon.url();
  await waitUntil('both have committed', async () => {
    const [row] = await world.query<{ n: number }>('SELECT count(*)::int AS n FROM orders');
    return row?.n === 6;
  });
  const { pipelines } = (await (await fetch(`${url}/health/ready`)).json()) as { pipelines: { pipeline: string }[] };
  expect(pipelines.map(({ pipeline }) => pipeline)).toEqual(['a', 'b']);
  daemon.signal('INT');
  expect(await daemon.ended()).toMatchObject({ code: 0 });
});
