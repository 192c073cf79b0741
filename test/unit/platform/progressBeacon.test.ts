import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createProgressBeacon, readProgress } from '../../../src/platform/index.ts';

test('a beacon nobody entered names no record', () => {
  expect(readProgress(createProgressBeacon().buffer)).toEqual({ active: false, calls: 0, record: undefined });
});

test('between enter and leave the record is the one being worked on', () => {
  const beacon = createProgressBeacon();
  beacon.enter('orders', 3, 9_007_199_254_740_993n, 7);
  const record = { topic: 'orders', partition: 3, offset: 9_007_199_254_741_000n };
  expect(readProgress(beacon.buffer)).toEqual({ active: true, calls: 1, record });
  beacon.leave();
  expect(readProgress(beacon.buffer)).toEqual({ active: false, calls: 1, record });
});

test('a shorter topic name leaves nothing of a longer one behind', () => {
  const beacon = createProgressBeacon();
  beacon.enter('x'.repeat(249), 0, 0n);
  expect(readProgress(beacon.buffer).record?.topic).toBe('x'.repeat(249));
  beacon.enter('ab', 1, 5n);
  expect(readProgress(beacon.buffer).record).toEqual({ topic: 'ab', partition: 1, offset: 5n });
  // A name made at run time is another string object with the same characters.
  beacon.enter(['a', 'b'].join(''), 1, 6n);
  expect(readProgress(beacon.buffer).record).toEqual({ topic: 'ab', partition: 1, offset: 6n });
});

test('another thread sees the record while this one is blocked', async () => {
  const beacon = createProgressBeacon();
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads');
     const words = new Int32Array(workerData.buffer);
     const gate = new Int32Array(workerData.gate);
     while (words[0] !== 1) Atomics.wait(gate, 1, 0, 1);
     Atomics.store(gate, 0, words[2] + 1);
     Atomics.notify(gate, 0);`,
    { eval: true, workerData: { buffer: beacon.buffer, gate: gate.buffer } },
  );
  beacon.enter('orders', 41, 0n);
  // The thread that entered does nothing but wait: what the worker saw came through memory alone.
  Atomics.wait(gate, 0, 0, 20_000);
  expect(gate[0]).toBe(42);
  await worker.terminate();
});
