import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLogger, type DaemonOptions, metrics, runDaemon } from '../../../src/daemon/index.ts';
import { TidemarkError } from '../../../src/errors.ts';
import { noCounts, OffsetRange } from '../../../src/model/index.ts';
import { waitUntil } from '../../services/index.ts';
import { FakePipeline, partition } from './fakePipeline.ts';

/** A daemon with HTTP on a free port, over fakes. */
async function daemon(pipelines: readonly FakePipeline[], change: Partial<DaemonOptions> = {}) {
  const log: Record<string, unknown>[] = [];
  const forced: string[] = [];
  const outcome = runDaemon({
    pipelines: pipelines.map((pipeline) => ({ pipeline, transformTimeoutMs: 1000, stopTimeoutMs: 1234 })),
    start: { until: 'stopped' },
    http: { host: '127.0.0.1', port: 0 },
    logger: createLogger('debug', { write: (line) => void log.push(JSON.parse(line)) }, (text) => text),
    redact: (text) => text.replaceAll('hunter2', '***'),
    version: '9.9.9',
    forceExit: (signal) => void forced.push(signal),
    ...change,
  });
  outcome.catch(() => {});
  onTestFinished(async () => {
    for (const pipeline of pipelines) pipeline.finish();
    await outcome.catch(() => {});
  });
  const served = () => log.find(({ msg }) => msg === 'Health and metrics are served');
  if (change.http === undefined) await waitUntil('the daemon serves HTTP', () => served() !== undefined);
  const url = `http://127.0.0.1:${served()?.port}`;
  return { outcome, log, forced, url, get: (path: string) => fetch(url + path) };
}

describe('health over HTTP', () => {
  test('alive is who answers; ready is 200 or 503', async () => {
    const pipeline = new FakePipeline();
    const { get } = await daemon([pipeline]);
    const live = await get('/health/live');
    expect([live.status, await live.json()]).toEqual([200, { status: 'alive' }]);
    const ready = await get('/health/ready');
    expect([ready.status, await ready.json()]).toMatchObject([200, { ready: true, pipelines: [{ state: 'ready' }] }]);
    pipeline.ready = 'parked';
    const reason = 'password hunter2 was refused';
    pipeline.partitions = [partition({ state: 'parked', partition: 3, nextOffset: 41n, reason })];
    const parked = await get('/health/ready');
    expect(parked.status).toBe(503);
    expect(await parked.json()).toMatchObject({
      ready: false,
      pipelines: [{ parked: [{ topic: 'orders', partition: 3, offset: '41', reason: 'password *** was refused' }] }],
    });
    expect((await get('/nope')).status).toBe(404);
  });

  test('health answers while a pipeline starts', async () => {
    const pipeline = new FakePipeline();
    let started = () => {};
    pipeline.onStart = () => new Promise((resolve) => (started = resolve));
    const { get } = await daemon([pipeline]);
    expect((await get('/health/live')).status).toBe(200);
    expect(await (await get('/health/ready')).json()).toMatchObject({
      ready: false,
      pipelines: [{ state: 'starting' }],
    });
    started();
    await waitUntil('it is ready', async () => (await get('/health/ready')).status === 200);
  });

  test('a port in use is an error before anything starts', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void squatter.close());
    const { port } = squatter.address() as { port: number };
    const pipeline = new FakePipeline();
    const { outcome } = await daemon([pipeline], { http: { host: '127.0.0.1', port } });
    await expect(outcome).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
      message: `http: cannot listen on 127.0.0.1:${port}: another process listens there`,
      path: 'http.port',
      foreignCode: 'EADDRINUSE',
    });
    expect(pipeline.startOptions).toBeUndefined();
  });

  test('an address that is not this machine is an error', async () => {
    const { outcome } = await daemon([new FakePipeline()], { http: { host: '192.0.2.1', port: 0 } });
    await expect(outcome).rejects.toMatchObject({ code: 'HTTP_LISTEN_FAILED', path: 'http.host' });
  });

  test('a connection that is kept open does not hold up the end', async () => {
    const pipeline = new FakePipeline();
    const { outcome, get } = await daemon([pipeline]);
    await get('/health/live'); // fetch keeps the connection
    pipeline.finish();
    await expect(outcome).resolves.toMatchObject({ pipelines: [{ error: undefined }] });
  });
});

describe('metrics', () => {
  test('count what events tell, and mirror what the status says', async () => {
    const pipeline = new FakePipeline();
    const { get } = await daemon([pipeline]);
    const range = new OffsetRange('orders', 1, 5n, 9n);
    const counts = { ...noCounts(), records: 4, produced: 2, rows: 3, dropped: 1, skipped: 1 };
    const error = new TidemarkError('SINK_REFUSED', 'no');
    for (let round = 0; round < 2; round += 1) {
      pipeline.events.emit('rangeCommitted', { range, counts, batchTimeMs: 0, durationMs: 20 });
    }
    pipeline.events.emit('rangeRetried', { range, attempt: 1, delayMs: 10, error });
    pipeline.events.emit('gapCommitted', { range, reason: 'expired' });
    pipeline.events.emit('partitionFenced', { topic: 'orders', partition: 1, error });
    pipeline.events.emit('batchCompleted', { batchTimeMs: 0, records: 4, schedulingDelayMs: 3, processingDelayMs: 20 });
    pipeline.events.emit('rateChanged', { recordsPerSecond: 1500.5 });
    pipeline.partitions = [
      partition({ partition: 1, nextOffset: 9n, lag: 3n, lagSeconds: 1.25 }),
      partition({ partition: 2, state: 'standby', nextOffset: 4n, lag: undefined, lagSeconds: undefined }),
    ];
    pipeline.degraded = [{ what: 'kafka', error }];
    const text = await (await get('/metrics')).text();
    const of = 'pipeline="orders",topic="orders",partition="1"';
    for (const line of [
      `tidemark_records_total{${of}} 8`,
      `tidemark_rows_total{${of}} 6`,
      `tidemark_records_dropped_total{${of}} 2`,
      `tidemark_records_skipped_total{${of}} 2`,
      `tidemark_gap_offsets_total{${of}} 4`,
      `tidemark_range_retries_total{${of}} 1`,
      `tidemark_fenced_total{${of}} 1`,
      `tidemark_committed_offset{${of}} 9`,
      `tidemark_lag_offsets{${of}} 3`,
      `tidemark_lag_seconds{${of}} 1.25`,
      'tidemark_partitions{pipeline="orders",state="running"} 1',
      'tidemark_partitions{pipeline="orders",state="standby"} 1',
      'tidemark_partitions{pipeline="orders",state="parked"} 0',
      'tidemark_degraded{pipeline="orders",what="kafka"} 1',
      'tidemark_rate_limit_records_per_second{pipeline="orders"} 1500.5',
      'tidemark_range_commit_seconds_count{pipeline="orders"} 2',
      'tidemark_range_commit_seconds_sum{pipeline="orders"} 0.04',
      'tidemark_batch_processing_seconds_count{pipeline="orders"} 1',
      'tidemark_batch_scheduling_delay_seconds_sum{pipeline="orders"} 0.003',
      'tidemark_ready{pipeline="orders"} 1',
      `tidemark_build_info{version="9.9.9",node="${process.version}"} 1`,
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).not.toMatch(/tidemark_lag_(offsets|seconds)\{[^}]*partition="2"/);
    for (const { name } of Object.values(metrics)) expect(text).toContain(`# TYPE ${name} `);
  });

  test('a partition that left is gone from the gauges', async () => {
    const pipeline = new FakePipeline();
    pipeline.partitions = [partition({ partition: 5 })];
    const { get } = await daemon([pipeline]);
    expect(await (await get('/metrics')).text()).toContain('partition="5"');
    pipeline.partitions = [];
    expect(await (await get('/metrics')).text()).not.toContain('partition="5"');
  });

  test('two daemons in one process do not share a registry', async () => {
    const [first, second] = [new FakePipeline('first'), new FakePipeline('second')];
    const a = await daemon([first]);
    await daemon([second]);
    expect(await (await a.get('/metrics')).text()).not.toContain('pipeline="second"');
  });
});

describe('how a daemon ends', () => {
  test('when every pipeline ended by itself', async () => {
    const [a, b] = [new FakePipeline('a'), new FakePipeline('b')];
    const { outcome } = await daemon([a, b], { start: { until: 'end', takeOver: true } });
    expect(a.startOptions).toEqual({ until: 'end', takeOver: true });
    a.finish();
    b.partitions = [partition({ state: 'parked' })];
    b.finish();
    await expect(outcome).resolves.toMatchObject({
      signal: undefined,
      pipelines: [
        { pipeline: 'a', error: undefined, unfinished: [] },
        { pipeline: 'b', error: undefined, unfinished: [{ state: 'parked' }] },
      ],
    });
  });

  test('a pipeline that fails leaves the others running and turns readiness red', async () => {
    const [a, b] = [new FakePipeline('a'), new FakePipeline('b')];
    const { outcome, get, log } = await daemon([a, b]);
    await waitUntil('both run', async () => (await get('/health/ready')).status === 200);
    a.fail(new TidemarkError('DATA_LOSS', 'gone', { hint: 'Reset.' }));
    await waitUntil('readiness is red', async () => (await get('/health/ready')).status === 503);
    expect(b.stopCalls).toEqual([]);
    expect(log).toContainEqual(
      expect.objectContaining({
        level: 'error',
        msg: 'Pipeline failed',
        pipeline: 'a',
        code: 'DATA_LOSS',
        hint: 'Reset.',
      }),
    );
    b.finish();
    await expect(outcome).resolves.toMatchObject({
      pipelines: [{ error: { code: 'DATA_LOSS' } }, { error: undefined }],
    });
  });

  test('a pipeline that cannot start stops the others', async () => {
    const [a, b] = [new FakePipeline('a'), new FakePipeline('b')];
    a.onStart = () => Promise.reject(new TidemarkError('SINK_TABLE_MISSING', 'no table'));
    const { outcome } = await daemon([a, b]);
    await expect(outcome).resolves.toMatchObject({
      pipelines: [{ error: { code: 'SINK_TABLE_MISSING' } }, { error: undefined }],
    });
    expect(b.stopCalls).toHaveLength(1);
  });

  test('what is no error of ours is one in the outcome', async () => {
    const pipeline = new FakePipeline();
    pipeline.onStart = () => Promise.reject(new TypeError('x is not a function'));
    const { outcome } = await daemon([pipeline]);
    await expect(outcome).resolves.toMatchObject({ pipelines: [{ error: { code: 'INVARIANT_BROKEN' } }] });
  });
});

describe('signals', () => {
  test('the first stops every pipeline within its deadline', async () => {
    const [a, b] = [new FakePipeline('a'), new FakePipeline('b')];
    const { outcome, get } = await daemon([a, b]);
    await waitUntil('both run', async () => (await get('/health/ready')).status === 200);
    process.emit('SIGTERM', 'SIGTERM');
    await expect(outcome).resolves.toMatchObject({
      signal: 'SIGTERM',
      pipelines: [{ error: undefined }, { error: undefined }],
    });
    expect([a.stopCalls, b.stopCalls]).toEqual([[{ deadlineMs: 1234 }], [{ deadlineMs: 1234 }]]);
  });

  test('a missed deadline is an error of the outcome', async () => {
    const pipeline = new FakePipeline();
    pipeline.onStop = async () => {
      pipeline.finish();
      throw new TidemarkError('STOP_DEADLINE_MISSED', 'too late');
    };
    const { outcome, log } = await daemon([pipeline]);
    process.emit('SIGINT', 'SIGINT');
    await expect(outcome).resolves.toMatchObject({ pipelines: [{ error: { code: 'STOP_DEADLINE_MISSED' } }] });
    expect(log).toContainEqual(
      expect.objectContaining({ msg: 'Pipeline did not stop well', code: 'STOP_DEADLINE_MISSED' }),
    );
  });

  test('during the start it stops as well, and is no failure', async () => {
    const pipeline = new FakePipeline();
    const interrupted = new TidemarkError('PIPELINE_STATE', 'stopped while it started');
    let interrupt = (_: unknown) => {};
    pipeline.onStart = () => new Promise((_, reject) => (interrupt = reject));
    pipeline.onStop = async () => {
      interrupt(interrupted);
      pipeline.fail(interrupted);
    };
    const { outcome } = await daemon([pipeline]);
    process.emit('SIGTERM', 'SIGTERM');
    await expect(outcome).resolves.toMatchObject({ signal: 'SIGTERM', pipelines: [{ error: undefined }] });
  });

  test('the second ends the process at once', async () => {
    const pipeline = new FakePipeline();
    pipeline.onStop = () => pipeline.finished.then(() => {});
    const { forced, outcome } = await daemon([pipeline]);
    process.emit('SIGTERM', 'SIGTERM');
    expect(forced).toEqual([]);
    process.emit('SIGINT', 'SIGINT');
    expect(forced).toEqual(['SIGINT']);
    expect(pipeline.stopCalls).toHaveLength(1);
    pipeline.finish();
    await outcome;
  });

  test('no handler is left behind', async () => {
    const before = process.listenerCount('SIGTERM');
    const pipeline = new FakePipeline();
    const { outcome } = await daemon([pipeline]);
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    pipeline.finish();
    await outcome;
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
