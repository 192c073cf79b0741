import { describe, expect, test } from 'vitest';
import { createLogger, logText } from '../../../src/daemon/index.ts';
import { logEvents } from '../../../src/daemon/logs.ts';
import { progressText } from '../../../src/daemon/progressLine.ts';
import { TidemarkError } from '../../../src/errors.ts';
import { noCounts, OffsetRange } from '../../../src/model/index.ts';
import { FakePipeline } from './fakePipeline.ts';

function logged(level: 'debug' | 'info' = 'debug') {
  const lines: string[] = [];
  const pipeline = new FakePipeline();
  const end = logEvents(
    pipeline,
    createLogger(level, { write: (line) => lines.push(line) }, (text) => text.replaceAll('hunter2', '***')),
  );
  return { pipeline, end, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

const error = new TidemarkError('RECORD_UNPARSABLE', 'not JSON', { offset: 41n, hint: 'Look at the record.' });

describe('log lines', () => {
  test('a parked partition is an error with place, code, reason and the way out as fields', () => {
    const { pipeline, entries } = logged();
    pipeline.events.emit('partitionParked', { topic: 'orders', partition: 3, nextOffset: 41n, error });
    expect(entries()).toEqual([
      {
        level: 'error',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        msg: 'Partition is parked and waits for a person',
        pipeline: 'orders',
        topic: 'orders',
        partition: 3,
        nextOffset: '41',
        offset: '41',
        code: 'RECORD_UNPARSABLE',
        reason: 'not JSON',
        hint: 'Look at the record.',
      },
    ]);
  });

  test('commits are logged at debug with their range and counts', () => {
    const range = new OffsetRange('orders', 0, 5n, 9n);
    const event = { range, counts: { ...noCounts(), records: 4, rows: 4, produced: 4 }, batchTimeMs: 1, durationMs: 2 };
    const quiet = logged('info');
    quiet.pipeline.events.emit('rangeCommitted', event);
    expect(quiet.entries()).toEqual([]);
    const { pipeline, entries } = logged('debug');
    pipeline.events.emit('rangeCommitted', event);
    expect(entries()).toMatchObject([
      { msg: 'Range committed', fromOffset: '5', untilOffset: '9', records: 4, rows: 4 },
    ]);
  });

  test('a flood of skipped records gives ten lines and a sum', () => {
    const { pipeline, end, entries } = logged();
    for (let offset = 0n; offset < 1000n; offset += 1n) {
      pipeline.events.emit('recordSkipped', { topic: 'orders', partition: 0, offset, error });
    }
    expect(entries()).toHaveLength(10);
    end();
    expect(entries().at(-1)).toMatchObject({ msg: 'More records skipped', records: 990 });
  });

  test('a receiver with an error is a warning, one that only changes its state is not', () => {
    const { pipeline, entries } = logged();
    const failed = new TidemarkError('RECEIVER_FAILED', 'Receiver lines: connection refused');
    const change = { receiver: 'lines', restarts: 1, address: undefined };
    pipeline.events.emit('receiverChanged', { ...change, state: 'restarting', error: failed });
    pipeline.events.emit('receiverChanged', { ...change, state: 'running', error: undefined });
    expect(entries()).toMatchObject([
      { level: 'warn', receiver: 'lines', state: 'restarting', code: 'RECEIVER_FAILED', reason: failed.message },
      { level: 'info', receiver: 'lines', state: 'running', restarts: 1 },
    ]);
    expect(entries()[1]).not.toHaveProperty('reason');
  });

  test('a flood of errors of receivers gives ten lines and a sum; changes without an error are all there', () => {
    const { pipeline, end, entries } = logged();
    const change = { receiver: 'lines', state: 'running', restarts: 0, address: undefined } as const;
    for (let n = 0; n < 100; n += 1) pipeline.events.emit('receiverChanged', { ...change, error });
    for (let n = 0; n < 3; n += 1) pipeline.events.emit('receiverChanged', { ...change, error: undefined });
    expect(entries()).toHaveLength(13);
    end();
    expect(entries().at(-1)).toMatchObject({ level: 'warn', msg: 'More errors of receivers', errors: 90 });
  });

  test('a log that is closed with blocks waiting is a warning that counts them and says what commits them', () => {
    const { pipeline, entries } = logged('info');
    const one = { topic: 'orders', partition: 1, blocks: 2, records: 30 };
    pipeline.events.emit('intakeClosed', { dir: '/wal', waiting: [] });
    pipeline.events.emit('intakeClosed', { dir: '/wal', waiting: [one, { ...one, partition: 2, records: 12 }] });
    expect(entries()).toMatchObject([
      { level: 'info', dir: '/wal', blocks: 0 },
      {
        level: 'warn',
        blocks: 4,
        records: 42,
        waiting: [
          { partition: 'orders-1', blocks: 2, records: 30 },
          { partition: 'orders-2', blocks: 2, records: 12 },
        ],
        hint: 'The next start with this directory commits them.',
      },
    ]);
    expect(entries()[0]).not.toHaveProperty('hint');
  });

  test('discarded blocks are a warning with how many, and why', () => {
    const { pipeline, entries } = logged('info');
    const event = { topic: 'orders', partition: 1, blocks: 2, records: 30, cause: 'claim', reason: 'because' } as const;
    pipeline.events.emit('blocksDiscarded', event);
    expect(entries()).toMatchObject([{ level: 'warn', ...event }]);
  });

  test('syncs of the log are no news; slow ones are one warning in a while, with how many others there were', () => {
    const { pipeline, entries } = logged('info');
    const sync = (ms: number) => pipeline.events.emit('logSynced', { entries: 3, bytes: 700, ms });
    for (const ms of [2, 999, 1000]) sync(ms);
    expect(entries()).toEqual([]);
    for (const ms of [1000.6, 5000, 7000]) sync(ms);
    expect(entries()).toMatchObject([
      { level: 'warn', msg: 'Log is slow to sync', ms: 1001, entries: 3, bytes: 700, others: 0 },
    ]);
  });

  test('secrets are taken out of fields, whatever the fields are called', () => {
    const { pipeline, entries } = logged();
    const refused = new TidemarkError('SINK_AUTHENTICATION_FAILED', 'password hunter2 refused');
    pipeline.events.emit('degraded', { what: 'sink', error: refused });
    expect(entries()).toMatchObject([{ reason: 'password *** refused', code: 'SINK_AUTHENTICATION_FAILED' }]);
  });

  test('nothing is logged after the end', () => {
    const { pipeline, end, entries } = logged();
    end();
    pipeline.events.emit('partitionResumed', { topic: 'orders', partition: 0 });
    expect(entries()).toEqual([]);
  });

  test('as text: time, level, sentence, fields; what is no JSON stays', () => {
    const line =
      '{"level":"info","time":"2024-05-06T07:08:09.123Z","pipeline":"orders","reason":"two words","n":5,"msg":"It works"}\n';
    expect(logText(line)).toBe('07:08:09.123 INFO  It works pipeline=orders reason="two words" n=5\n');
    expect(logText('plain\n')).toBe('plain\n');
  });
});

test.each([
  [0, 0, 0, '░░░░░░░░░░░░░░░░░░░░░░░░ 0 %  0 records, 0 to go, 0/s'],
  [500, 500, 2, '████████████░░░░░░░░░░░░ 50 %  500 records, 500 to go, 250/s'],
  [2_000_000, 0, 4, '████████████████████████ 100 %  2,000,000 records, 0 to go, 500,000/s'],
])('progress of %d records with %d to go', (records, lag, seconds, expected) => {
  expect(progressText(records, lag, seconds)).toBe(expected);
});
