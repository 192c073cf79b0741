import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/testkit/index.ts';

test('timers run in the order of their time, each with the clock at its time', async () => {
  const clock = new ManualClock(1_000);
  const seen: [string, number][] = [];
  const note = (name: string) => seen.push([name, clock.now()]);
  clock.after(20, () => note('later'));
  clock.after(10, () => note('first'));
  clock.after(10, () => note('second'));
  await clock.advance(9);
  expect(seen).toEqual([]);
  await clock.advance(11);
  expect(seen).toEqual([
    ['first', 1_010],
    ['second', 1_010],
    ['later', 1_020],
  ]);
  expect([clock.now(), clock.monotonic(), clock.pendingTimers]).toEqual([1_020, 20, 0]);
});

test('what a timer sets off is done before time goes on', async () => {
  const clock = new ManualClock();
  const seen: number[] = [];
  const work = async () => {
    for (let round = 0; round < 3; round += 1) {
      await clock.sleep(10);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(clock.monotonic());
    }
  };
  const working = work();
  await clock.advance(100);
  await working;
  expect(seen).toEqual([10, 20, 30]);
});

test('what was cancelled or aborted does not run', async () => {
  const clock = new ManualClock();
  const cancel = clock.after(10, () => expect.unreachable());
  cancel();
  const abort = new AbortController();
  const sleeping = clock.sleep(10, abort.signal);
  abort.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
  await expect(clock.sleep(10, abort.signal)).rejects.toThrow('enough');
  expect(clock.pendingTimers).toBe(0);
  await clock.advance(20);
});
