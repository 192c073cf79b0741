import { expect, it } from 'vitest';
import { nextTickMs } from '../../../src/scheduler/batchClock.ts';

it.each([
  [0, 1000],
  [1, 1000],
  [999, 1000],
  [1000, 2000],
  [1001, 2000],
])('the tick after %d ms is at %d: a multiple of the interval', (nowMs, expected) => {
  expect(nextTickMs(nowMs, 1000)).toBe(expected);
});
