import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ProgressLine } from '../../src/daemon/index.ts';
import { waitUntil } from '../services/index.ts';
import { freePort } from '../services/ports.ts';
import { type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';
import { produce, receiverWorld, texts } from '../support/receiverWorld.ts';
import { startTidemark, tidemark } from '../support/tidemarkCommand.ts';

// Each test runs several commands, one after the other.
vi.setConfig({ testTimeout: 240_000 });

const orders = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ id: from + index }));

/** A pipeline in receiver mode: a topic and an HTTP receiver, its log beside the file. */
async function intake(change: Record<string, unknown> = {}) {
  const world = await pipelineWorld();
  const port = await freePort();
  const source = {
    mode: 'receiver',
    topics: [world.topic],
    blockIntervalMs: 50,
    receivers: [{ type: 'http', name: 'hooks', port, path: '/orders' }],
  };
  const file = await world.config({ source, wal: { dir: 'wal' }, http: { port: 0 }, ...change });
  return {
    world,
    file,
    port,
    walDir: join(world.folder, 'wal'),
    options: { cwd: world.folder, environment: world.environment },
    post: (lines: readonly string[]) => postOrders(port, lines),
  };
}

/** As curl does it; the answer once somebody listens. */
function postOrders(port: number, lines: readonly string[]): Promise<{ status: number; body: unknown }> {
  return waitUntil('an answer', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${lines.join('\n')}\n`,
    });
    return { status: response.status, body: await response.json() };
  });
}

const idsOf = async (world: PipelineWorld) =>
  (await world.query<{ id: string }>('SELECT id::text AS id FROM public.orders ORDER BY public.orders.id')).map(
    ({ id }) => Number(id),
  );

/** Nobody can write the table until the answer is called. */
async function locked(world: PipelineWorld): Promise<() => Promise<unknown>> {
  await world.query('BEGIN');
  await world.query('LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE');
  return () => world.query('COMMIT');
}

interface InspectedLog {
  readonly holder?: { readonly pid: number };
  readonly receiver: {
    readonly streams: readonly {
      readonly topic: string;
      readonly records: number;
      readonly blocksWaiting: number;
    }[];
  };
}

async function inspected(walDir: string): Promise<InspectedLog> {
  const { code, stdout } = await tidemark(['wal', 'inspect', '--json', walDir]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as InspectedLog;
}

const blocksWaiting = ({ receiver }: InspectedLog) => receiver.streams.reduce((sum, one) => sum + one.blocksWaiting, 0);

test('a daemon takes posts and a topic in, shows what waits, and at SIGTERM commits all that it answered for', async () => {
  const { world, file, walDir, options, post } = await intake();
  await world.produce(orders(5));
  const daemon = await startTidemark(['run', file], options);
  const url = await daemon.url();
  await waitUntil('it is ready', async () => (await fetch(`${url}/health/ready`)).status === 200);
  expect(await post(orders(10, 100))).toEqual({ status: 200, body: { accepted: 10 } });
  await waitUntil('both are in the table', async () => (await idsOf(world)).length === 15);

  const unlock = await locked(world);
  expect(await post(orders(3, 200))).toEqual({ status: 200, body: { accepted: 3 } });
  await world.produce(orders(4, 10));
  const ofTopic = `pipeline="orders",topic="${world.topic}",partition="0"`;
  const metrics = await waitUntil('the topic was taken in', async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.includes(`tidemark_records_logged_total{${ofTopic}} 9`) ? text : undefined;
  });
  expect(Number(/^tidemark_waiting_blocks\{pipeline="orders"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
  expect(metrics).toContain('tidemark_receivers{pipeline="orders",receiver="hooks",state="running"} 1');
  expect(metrics).toContain('tidemark_receive_rate_limit_records_per_second{pipeline="orders"} 0');
  expect(metrics).toMatch(/^tidemark_log_sync_seconds_count\{pipeline="orders"\} [1-9]/m);
  const meanwhile = await inspected(walDir);
  expect(meanwhile.holder).toBeDefined();
  expect(blocksWaiting(meanwhile)).toBeGreaterThanOrEqual(2);
  expect(meanwhile.receiver.streams.map(({ topic, records }) => [topic.replace(/@.*/, ''), records]).sort()).toEqual(
    [
      ['receiver:hooks', 13],
      [world.topic, 9],
    ].sort(),
  );

  daemon.signal('TERM');
  await daemon.logged('Signal received, stopping gracefully');
  await unlock();
  const { code, stdout } = await daemon.ended();
  expect([code, stdout]).toEqual([0, 'orders: stopped, 22 records, 22 rows, 0 dropped, 0 skipped\n']);
  expect(await idsOf(world)).toEqual([
    0, 1, 2, 3, 4, 10, 11, 12, 13, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 200, 201, 202,
  ]);
  expect(daemon.log().find(({ msg }) => msg === 'Log of the receivers closed')).toMatchObject({
    level: 'info',
    blocks: 0,
    waiting: [],
  });
  const after = await inspected(walDir);
  expect(after).not.toHaveProperty('holder');
  expect(blocksWaiting(after)).toBe(0);
  expect((await tidemark(['wal', 'verify', walDir])).code).toBe(0);
});

test('a stop that misses its deadline says what the log still holds, and the next run commits that, then the topic', async () => {
  const { world, file, walDir, options, post } = await intake({ stopTimeoutMs: 500 });
  const daemon = await startTidemark(['run', file], options);
  expect((await post(orders(1))).status).toBe(200);
  await waitUntil('it is in the table', async () => (await idsOf(world)).length === 1);
  const unlock = await locked(world);
  expect((await post(orders(7, 100))).status).toBe(200);
  daemon.signal('TERM');
  expect((await daemon.ended()).code).toBe(1);
  expect(daemon.log().find(({ msg }) => msg === 'Log of the receivers closed')).toMatchObject({
    level: 'warn',
    blocks: 1,
    records: 7,
    hint: 'The next start with this directory commits them.',
  });
  await unlock();
  expect(blocksWaiting(await inspected(walDir))).toBe(1);

  await world.produce(orders(20, 1000));
  const first = await tidemark(['run', '--until-end', file], options);
  expect(first).toMatchObject({ code: 0, stdout: 'orders: done, 27 records, 27 rows, 0 dropped, 0 skipped\n' });
  const ids = await idsOf(world);
  expect(ids).toHaveLength(28);
  expect(new Set(ids).size).toBe(28);
  const second = await tidemark(['run', '--until-end', file], options);
  expect(second).toMatchObject({ code: 0, stdout: 'orders: done, 0 records, 0 rows, 0 dropped, 0 skipped\n' });
});

test('the progress line of a run until the end counts what the log holds and what the topic has', async () => {
  const world = receiverWorld();
  produce(world.cluster, texts(40));
  const shown: string[] = [];
  const progress = new ProgressLine({ write: (text) => shown.push(text) });
  onTestFinished(() => progress.stop());
  const { pipeline } = await world.start({}, { until: 'end' });
  progress.start([pipeline]);
  await pipeline.finished;
  progress.write('the end\n');
  expect(world.values()).toHaveLength(40);
  expect(shown.at(-1)).toMatch(/█{24} 100 % {2}\d+ records, 0 to go, /);
});

test('a receiver that cannot listen is a warning, turns readiness red, and is named there with the reason', async () => {
  const { file, options, port, post } = await intake();
  const first = await startTidemark(['run', file], options);
  expect((await post(orders(1))).status).toBe(200);
  // Another pipeline, with a log of its own and the same port.
  const world = await pipelineWorld();
  const source = { mode: 'receiver', receivers: [{ type: 'http', name: 'hooks', port }] };
  const other = await world.config({ kafka: undefined, source, wal: { dir: 'wal' }, http: { port: 0 } });
  const second = await startTidemark(['run', other], { cwd: world.folder, environment: world.environment });
  const url = await second.url();
  const report = await waitUntil('readiness is red for it', async () => {
    const answer = (await (await fetch(`${url}/health/ready`)).json()) as {
      ready: boolean;
      pipelines: { state: string; restarting: unknown[] }[];
    };
    return answer.pipelines[0]?.restarting.length === 1 ? answer : undefined;
  });
  expect(report).toMatchObject({
    ready: false,
    pipelines: [{ state: 'degraded', restarting: [{ receiver: 'hooks', code: 'HTTP_LISTEN_FAILED' }] }],
  });
  const line = await second.logged('Receiver changed its state');
  expect(second.log().filter(({ msg, level }) => msg === line.msg && level === 'warn')[0]).toMatchObject({
    receiver: 'hooks',
    state: 'restarting',
    code: 'HTTP_LISTEN_FAILED',
  });
  first.signal('TERM');
  expect((await first.ended()).code).toBe(0);
  // The port is free: it starts by itself, and all is well.
  await waitUntil('it is ready', async () => (await fetch(`${url}/health/ready`)).status === 200);
  second.signal('TERM');
  expect((await second.ended()).code).toBe(0);
});

test('without wal.dir the file is wrong: nothing is connected to, exit code 2', async () => {
  const { world, file, options } = await intake();
  for (const [name, wal] of [
    ['without.yaml', undefined],
    ['empty.yaml', {}],
  ] as const) {
    const source = { mode: 'receiver', topics: [world.topic] };
    const wrong = await world.config({ source, wal }, name);
    const { code, stdout, stderr } = await tidemark(['run', wrong], options);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/ wal(\.dir)?: (is missing|.*required|.*missing)/);
    expect((await tidemark(['config', 'check', wrong], options)).code).toBe(2);
  }
  expect(await tidemark(['config', 'check', file], options)).toMatchObject({ code: 0, stderr: '' });
  const { code, stdout } = await tidemark(['config', 'explain', file], options);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ {2}mode: receiver # orders\.yaml:/m);
  expect(stdout).toMatch(/^ {6}path: \/orders # orders\.yaml:/m);
  expect(stdout).toMatch(/^ {2}blocksWaitingMax: 256 # default$/m);
  expect(stdout).toMatch(/^ {2}dir: wal # orders\.yaml:/m);
});
