import { describe, expect, test } from 'vitest';
import { readinessOf } from '../../../src/daemon/readiness.ts';
import { TidemarkError } from '../../../src/errors.ts';
import type { PipelineStatus } from '../../../src/pipeline/index.ts';
import { FakePipeline, partition, receiver } from './fakePipeline.ts';

const badRecord = new TidemarkError('RECORD_UNPARSABLE', 'orders-3 offset 41: the value is not JSON', {
  topic: 'orders',
  partition: 3,
  offset: 41n,
});

function running(ready: PipelineStatus['ready'], name = 'orders'): FakePipeline {
  const pipeline = new FakePipeline(name);
  pipeline.state = 'running';
  pipeline.ready = ready;
  return pipeline;
}

describe('readiness', () => {
  test.each([
    ['ready', true],
    ['standby', true],
    ['parked', false],
    ['degraded', false],
  ] as const)('a running pipeline that is %s: %s', (ready, expected) => {
    const report = readinessOf([{ pipeline: running(ready), ended: undefined }]);
    expect(report).toMatchObject({ ready: expected, pipelines: [{ state: ready, ready: expected }] });
  });

  test.each([
    ['created', 'starting'],
    ['starting', 'starting'],
    ['stopping', 'stopping'],
  ] as const)('a pipeline that is %s is not ready', (state, expected) => {
    const pipeline = new FakePipeline();
    pipeline.state = state;
    expect(readinessOf([{ pipeline, ended: undefined }])).toMatchObject({
      ready: false,
      pipelines: [{ state: expected }],
    });
  });

  test('a pipeline that is done does not turn the process red, one that failed does', () => {
    const done = { pipeline: running('stopped', 'a'), ended: { error: undefined } };
    const failed = { pipeline: running('stopped', 'b'), ended: { error: badRecord } };
    expect(readinessOf([done])).toMatchObject({ ready: true, pipelines: [{ state: 'done' }] });
    expect(readinessOf([done, failed])).toMatchObject({
      ready: false,
      pipelines: [
        { ready: true },
        { ready: false, state: 'failed', error: { code: 'RECORD_UNPARSABLE', offset: '41' } },
      ],
    });
  });

  test('one of several that is not ready makes the whole not ready', () => {
    const good = { pipeline: running('ready', 'a'), ended: undefined };
    const bad = { pipeline: running('parked', 'b'), ended: undefined };
    expect(readinessOf([good, bad]).ready).toBe(false);
  });

  test('parked and paused partitions are named with the offset they stand at and why', () => {
    const pipeline = running('parked');
    pipeline.partitions = [
      partition({ partition: 0 }),
      partition({ partition: 1, state: 'paused', nextOffset: 7n, reason: 'maintenance' }),
      partition({ partition: 3, state: 'parked', nextOffset: 40n, error: badRecord, reason: badRecord.message }),
    ];
    expect(readinessOf([{ pipeline, ended: undefined }]).pipelines[0]).toMatchObject({
      partitions: { running: 1, paused: 1, parked: 1 },
      parked: [{ topic: 'orders', partition: 3, offset: '41', code: 'RECORD_UNPARSABLE', reason: badRecord.message }],
      paused: [{ topic: 'orders', partition: 1, offset: '7', reason: 'maintenance' }],
    });
  });

  test('receivers that wait to be started again are named with the reason, those that work are not', () => {
    const pipeline = running('ready');
    const lastError = new TidemarkError('RECEIVER_FAILED', 'Receiver lines: connection refused');
    pipeline.receivers = [
      receiver({ name: 'web' }),
      receiver({ name: 'lines', state: 'restarting', restarts: 4, lastError }),
      receiver({ name: 'own', state: 'restarting', restarts: 1 }),
    ];
    expect(readinessOf([{ pipeline, ended: undefined }]).pipelines[0]).toMatchObject({
      ready: true,
      restarting: [
        { receiver: 'lines', restarts: 4, code: 'RECEIVER_FAILED', reason: lastError.message },
        { receiver: 'own', restarts: 1 },
      ],
    });
  });

  test('what is retried is named', () => {
    const pipeline = running('degraded');
    pipeline.degraded = [{ what: 'sink', error: new TidemarkError('SINK_UNREACHABLE', 'connection refused') }];
    expect(readinessOf([{ pipeline, ended: undefined }]).pipelines[0]?.degraded).toEqual([
      { what: 'sink', code: 'SINK_UNREACHABLE', reason: 'connection refused' },
    ]);
  });
});
