import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Pipeline } from '../../src/index.ts';
import { appendPlain, type Input } from '../crash/input.ts';
import { sharedSetting } from '../crash/setting.ts';
import { expectKept, type Trial, waitUntilDone } from '../crash/trial.ts';
import { all, expectKeptAtEnd, nth, paced } from '../crash/watching.ts';
import type { Worker } from '../crash/workerProcess.ts';
import { tcpProxy, waitUntil } from '../services/index.ts';

const setting = sharedSetting();

/** Everything of the pipeline is given back: nobody owns a partition, nobody is connected. */
async function expectNothingHeld(trial: Trial, pipeline: Pipeline): Promise<void> {
  expect(pipeline.state).toBe('stopped');
  const owned = await trial.sql('SELECT partition FROM ledger.offsets WHERE claim IS NOT NULL OR owner IS NOT NULL');
  expect(owned).toEqual([]);
  await waitUntil('its connections to end', async () => {
    const application = `tidemark:${pipeline.status().instanceId}`;
    return (await trial.sql('SELECT FROM pg_stat_activity WHERE application_name = $1', [application])).length === 0;
  });
}

describe('stop', () => {
  it.concurrent('before start: nothing ever connects, and it cannot be started any more', async () => {
    const pipeline = (await setting().trial()).define();
    await pipeline.stop();
    expect(await pipeline.finished).toEqual({ state: 'stopped', unfinished: [] });
    await expect(pipeline.start()).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
  });

  it.concurrent.each([0, 5, 20, 50, 100, 200])(
    '%i ms into the start: it ends, and gives everything back',
    async (ms) => {
      const trial = await setting().trial();
      const before = trial.define();
      await before.start({ until: 'batch' });
      await before.finished;
      const pipeline = trial.define();
      const started = pipeline.start().catch((error: unknown) => error);
      await delay(ms);
      await pipeline.stop();
      expect([undefined, expect.objectContaining({ code: 'PIPELINE_STATE' })]).toContainEqual(await started);
      await pipeline.finished;
      await expectNothingHeld(trial, pipeline);
    },
  );

  it.concurrent.each(['database', 'broker'] as const)('while the %s does not answer at the start', async (silent) => {
    const { database, brokers } = setting();
    const url = new URL(database.url);
    const [host = '', port = ''] = (brokers[0] ?? '').split(':');
    const target =
      silent === 'database' ? { host: url.hostname, port: Number(url.port) } : { host, port: Number(port) };
    const proxy = await tcpProxy(target);
    proxy.blackholeReplies();
    if (silent === 'database') url.host = `${proxy.host}:${proxy.port}`;
    const trial = await setting().trial({ pipelineUrl: url.toString() });
    const changes = silent === 'broker' ? { kafka: { brokers: [`${proxy.host}:${proxy.port}`] } } : {};
    const pipeline = trial.define(changes);
    const started = pipeline.start().catch((error: unknown) => error);
    await waitUntil('a connection', () => proxy.connections > 0);
    const askedAt = performance.now();
    await pipeline.stop();
    expect(performance.now() - askedAt).toBeLessThan(8_000);
    expect(await started).toMatchObject({ code: 'PIPELINE_STATE' });
    await proxy.close();
  });

  it.concurrent('while idle, several times at once and once more', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define();
    await pipeline.start();
    await waitUntilDone(trial);
    await Promise.all([pipeline.stop(), pipeline.stop(), pipeline.stop()]);
    await pipeline.stop();
    expect(await pipeline.finished).toEqual({ state: 'stopped', unfinished: [] });
    await expectNothingHeld(trial, pipeline);
    await expectKept(trial);
  });

  it.concurrent('under load: what is in flight ends, the next start goes on from there', async () => {
    const trial = await setting().trial({ changes: paced });
    const pipeline = trial.define();
    const released = all(pipeline, 'partitionReleased');
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 7);
    await pipeline.stop();
    await expectNothingHeld(trial, pipeline);
    expect(released.map(({ nextOffset }) => nextOffset)).toEqual(await trial.nextOffsets());
    expect(await trial.violations()).toEqual([]);
    const next = trial.define();
    await next.start();
    await expectKeptAtEnd(trial, next);
  });

  it.concurrent('by a listener of an event', async () => {
    const trial = await setting().trial({ changes: paced });
    const pipeline = trial.define();
    const stops: Promise<void>[] = [];
    pipeline.events.on('rangeCommitted', () => stops.push(pipeline.stop()));
    await pipeline.start();
    await pipeline.finished;
    await Promise.all(stops);
    expect(await trial.violations()).toEqual([]);
  });

  it.concurrent('past its deadline: what is in flight is rolled back, and nothing is lost', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define({}, () => new Promise(() => {}));
    const planned = nth(pipeline, 'batchPlanned');
    await pipeline.start();
    await planned;
    const askedAt = performance.now();
    await expect(pipeline.stop({ deadlineMs: 300 })).rejects.toMatchObject({ code: 'STOP_DEADLINE_MISSED' });
    expect(performance.now() - askedAt).toBeLessThan(8_000);
    await expectNothingHeld(trial, pipeline);
    expect(await trial.sql('SELECT FROM target')).toEqual([]);
    await trial.finish();
  });

  it.concurrent('past its deadline with the target locked by somebody else', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define({ sink: { lockTimeoutMs: 60_000 } });
    await trial.holding('LOCK TABLE target', async () => {
      const planned = nth(pipeline, 'batchPlanned');
      await pipeline.start();
      await planned;
      await expect(pipeline.stop({ deadlineMs: 300 })).rejects.toMatchObject({ code: 'STOP_DEADLINE_MISSED' });
    });
    await expectNothingHeld(trial, pipeline);
    await trial.finish();
  });

  it.concurrent('past its deadline with a database that went silent', async () => {
    const { database } = setting();
    const url = new URL(database.url);
    const proxy = await tcpProxy({ host: url.hostname, port: Number(url.port) });
    url.host = `${proxy.host}:${proxy.port}`;
    const trial = await setting().trial({ pipelineUrl: url.toString(), changes: paced });
    const pipeline = trial.define();
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 3);
    proxy.pause();
    const askedAt = performance.now();
    await expect(pipeline.stop({ deadlineMs: 300 })).rejects.toMatchObject({ code: 'STOP_DEADLINE_MISSED' });
    expect(performance.now() - askedAt).toBeLessThan(8_000);
    await proxy.close();
    const next = trial.define({ sink: { connectionString: database.url } });
    await next.start();
    await expectKeptAtEnd(trial, next);
  });
});

describe('start', () => {
  it.concurrent('a second time is refused', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define();
    await pipeline.start();
    await expect(pipeline.start()).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
    await pipeline.stop();
    await expect(pipeline.start()).rejects.toMatchObject({ code: 'PIPELINE_STATE' });
  });

  it.concurrent.each([
    ['SINK_TABLE_MISSING', { sink: { table: 'nowhere' } }],
    ['KAFKA_TOPIC_MISSING', { source: { topics: ['nowhere'] } }],
    ['KAFKA_UNREACHABLE', { kafka: { brokers: ['127.0.0.1:1'], requestTimeoutMs: 500 } }],
    ['NO_START_OFFSET', { source: { reset: 'fail' } }],
  ] as const)('that fails with %s closes everything it opened', async (code, changes) => {
    const trial = await setting().trial();
    const pipeline = trial.define(changes);
    await expect(pipeline.start()).rejects.toMatchObject({ code });
    await expect(pipeline.finished).rejects.toMatchObject({ code });
    await expectNothingHeld(trial, pipeline);
  });

  it.concurrent('until the end of an empty topic is over at once', async () => {
    const { environment } = setting();
    const input: Input = { topic: await environment.createTopic({ partitions: 3 }), partitions: 3, produced: [] };
    const trial = await setting().trial({ input });
    const pipeline = trial.define();
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    expect(await trial.nextOffsets()).toEqual([0n, 0n, 0n]);
  });

  it.concurrent('until one batch commits one range of each partition', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define();
    const planned = all(pipeline, 'batchPlanned');
    const committed = all(pipeline, 'rangeCommitted');
    await pipeline.start({ until: 'batch' });
    await pipeline.finished;
    expect(planned).toHaveLength(1);
    expect(committed.map(({ range }) => `${range.partition} ${range.fromOffset} ${range.untilOffset}`).sort()).toEqual([
      '0 0 25',
      '1 0 25',
      '2 0 25',
    ]);
    expect(await trial.violations()).toEqual([]);
  });
});

describe('a process', () => {
  const ends = { code: 0, signal: null };

  /** Whatever is left open (a socket, a timer) would keep the process for its own time. */
  function expectEndsAtOnce(worker: Worker): void {
    const [last] = worker.events(['finished', 'failed']);
    const [exit] = worker.events('exit');
    expect((exit?.at ?? Number.POSITIVE_INFINITY) - (last?.at ?? 0)).toBeLessThan(3_000);
  }

  it.concurrent('with a pipeline that is done has no handle left and ends by itself', async () => {
    const trial = await setting().trial();
    const worker = await trial.start({ start: { until: 'end' } });
    expect(await worker.ended(), worker.logTail()).toEqual(ends);
    expectEndsAtOnce(worker);
  });

  it.concurrent('with a pipeline that was stopped while running has no handle left', async () => {
    const trial = await setting().trial({ changes: paced });
    const worker = await trial.start();
    await worker.waitFor('rangeCommitted', 3);
    worker.signal('SIGTERM');
    expect(await worker.ended(), worker.logTail()).toEqual(ends);
    expectEndsAtOnce(worker);
  });

  it.concurrent.each([
    { sink: { table: 'nowhere' } },
    { source: { topics: ['nowhere'] } },
    { kafka: { brokers: ['127.0.0.1:1'], requestTimeoutMs: 500 } },
  ])('whose pipeline cannot start has no handle left: %j', async (changes) => {
    const trial = await setting().trial();
    const worker = await trial.start({ changes });
    expect(await worker.ended(), worker.logTail()).toEqual({ code: 1, signal: null });
    expectEndsAtOnce(worker);
  });

  it.concurrent('runs two pipelines; one that parks does not disturb the other', async () => {
    const [good, bad] = [await setting().trial(), await setting().trial()];
    const fail = () => {
      throw new Error('on purpose');
    };
    const [first, second] = [good.define(), bad.define({ onError: { attempts: 1 } }, fail)];
    await Promise.all([first.start(), second.start({ until: 'end' })]);
    await expect(second.finished).rejects.toMatchObject({ code: 'TRANSFORM_FAILED' });
    expect(first.state).toBe('running');
    await expectKeptAtEnd(good, first);
  });

  it.concurrent('a listener that throws hurts nobody', async () => {
    const trial = await setting().trial();
    const pipeline = trial.define();
    const failures = all(pipeline, 'listenerFailed');
    pipeline.events.on('rangeCommitted', () => {
      throw new Error('on purpose');
    });
    await pipeline.start();
    await expectKeptAtEnd(trial, pipeline);
    expect(failures[0]).toMatchObject({ event: 'rangeCommitted' });
  });
});

describe('orders of an operator', () => {
  const order = `INSERT INTO ledger.controls (pipeline, topic, partition, "order", from_offset, until_offset, reason)
                 SELECT pipeline, topic, partition, $1, $2, $3, 'ordered by a test' FROM ledger.offsets WHERE partition = 0`;

  it.concurrent('pause holds a partition within a second, over a restart, until it is taken back', async () => {
    const trial = await setting().trial({ changes: paced });
    const pipeline = trial.define();
    await pipeline.start();
    await nth(pipeline, 'rangeCommitted', 3);
    const paused = nth(pipeline, 'partitionPaused');
    const orderedAt = performance.now();
    await trial.sql(order, ['pause', null, null]);
    expect(await paused).toMatchObject({ partition: 0, reason: 'ordered by a test' });
    expect(performance.now() - orderedAt).toBeLessThan(4_000);
    await waitUntil('what was in flight to end', () => pipeline.status().partitions[0]?.state === 'paused');
    const [stoodAt] = await trial.nextOffsets();
    await waitUntil('the others to be done', () =>
      pipeline
        .status()
        .partitions.slice(1)
        .every(({ lag }) => lag === 0n),
    );
    await pipeline.stop();
    expect((await pipeline.finished).unfinished).toMatchObject([{ partition: 0, state: 'paused' }]);

    const next = trial.define();
    const committed = all(next, 'rangeCommitted');
    await next.start();
    expect(next.status().partitions[0]).toMatchObject({ state: 'paused', reason: 'ordered by a test' });
    expect(await trial.nextOffsets()).toContain(stoodAt);
    expect(committed).toEqual([]);
    const resumed = nth(next, 'partitionResumed');
    await trial.sql('DELETE FROM ledger.controls');
    expect(await resumed).toMatchObject({ partition: 0 });
    await expectKeptAtEnd(trial, next);
  });

  it.concurrent('skip leaves a gap with the reason, however the ranges fall', async () => {
    const trial = await setting().trial();
    const first = trial.define();
    await first.start({ until: 'batch' });
    await first.finished;
    // In the middle of what would be ranges, and one that begins before it is ordered.
    await trial.sql(order, ['skip', '33', '61']);
    await trial.sql(order, ['skip', '10', '30']);
    const pipeline = trial.define();
    const gaps = all(pipeline, 'gapCommitted');
    await pipeline.start();
    await expectKeptAtEnd(trial, pipeline);
    expect(gaps.map(({ range, reason }) => [range.fromOffset, range.untilOffset, reason])).toEqual([
      [25n, 30n, 'ordered by a test'],
      [33n, 61n, 'ordered by a test'],
    ]);
  });

  it.concurrent('skip of records that are yet to come waits for them', async () => {
    const { environment } = setting();
    const input: Input = { topic: await environment.createTopic(), partitions: 1, produced: [] };
    await appendPlain(environment, input, [0], 10);
    const trial = await setting().trial({ input });
    const first = trial.define();
    await first.start({ until: 'end' });
    await first.finished;
    await trial.sql(order, ['skip', '15', '18']);
    const pipeline = trial.define();
    await pipeline.start();
    await appendPlain(environment, input, [0], 10);
    await expectKeptAtEnd(trial, pipeline);
    const [gap] = await trial.sql(`SELECT from_offset, until_offset FROM ledger.ranges WHERE kind = 'gap'`);
    expect(gap).toEqual({ from_offset: '15', until_offset: '18' });
  });
});

describe('the pace', () => {
  it.concurrent('maxRatePerPartition holds over the whole run', async () => {
    const trial = await setting().trial({ changes: { batch: { maxRatePerPartition: 100 } } });
    const pipeline = trial.define();
    const committed = all(pipeline, 'rangeCommitted');
    const startedAt = performance.now();
    await pipeline.start({ until: 'end' });
    await pipeline.finished;
    const seconds = (performance.now() - startedAt) / 1000;
    const offsets = committed
      .filter(({ range }) => range.partition === 0)
      .map(({ range }) => Number(range.offsetCount));
    const total = offsets.reduce((sum, count) => sum + count, 0);
    // Not more than the rate and the burst of a tenth of a second allow.
    expect(total).toBeGreaterThan(150);
    expect(total).toBeLessThanOrEqual(100 * seconds + 10);
    expect(Math.max(...offsets)).toBeLessThanOrEqual(10);
  });

  it.concurrent('with an interval batches are planned at its multiples, for all partitions at once', async () => {
    const trial = await setting().trial({ changes: { batch: { intervalMs: 200 } } });
    const pipeline = trial.define();
    const planned = all(pipeline, 'batchPlanned');
    await pipeline.start();
    await expectKeptAtEnd(trial, pipeline);
    expect(planned.length).toBeGreaterThan(3);
    for (const { batchTimeMs } of planned) expect(batchTimeMs % 200).toBe(0);
    expect(planned.find(({ ranges }) => ranges.length > 0)?.ranges.map(({ partition }) => partition)).toEqual([
      0, 1, 2,
    ]);
  });

  it.concurrent('with an interval the rate counts records per batch', async () => {
    const trial = await setting().trial({ changes: { batch: { intervalMs: 200, maxRatePerPartition: 100 } } });
    const pipeline = trial.define();
    const planned = all(pipeline, 'batchPlanned');
    await pipeline.start();
    await expectKeptAtEnd(trial, pipeline);
    expect(Math.max(...planned.flatMap(({ ranges }) => ranges.map(({ offsetCount }) => Number(offsetCount))))).toBe(20);
  });
});
