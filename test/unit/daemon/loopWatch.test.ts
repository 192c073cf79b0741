import { describe, expect, test } from 'vitest';
import { LoopWatch, type WatchedProgress } from '../../../src/daemon/loopWatch.ts';

const record = { topic: 'orders', partition: 1, offset: 5n };
const target = (active: boolean, timeoutMs = 3000, pipeline = 'orders', calls = 1): WatchedProgress => ({
  pipeline,
  timeoutMs,
  progress: { active, calls, record },
});

/** Samples every 200 ms at the same tick until the watch speaks; how long that took. */
function blockedAfter(watch: LoopWatch, targets: readonly WatchedProgress[]) {
  watch.sample(7, 200, targets);
  for (let elapsedMs = 200; elapsedMs <= 20_000; elapsedMs += 200) {
    const blocked = watch.sample(7, 200, targets);
    if (blocked !== undefined) return { elapsedMs, blocked };
  }
  return undefined;
}

describe('the watch over the event loop', () => {
  test('a loop that turns is never blocked', () => {
    const watch = new LoopWatch(600);
    for (let tick = 0; tick < 100; tick += 1) expect(watch.sample(tick, 200, [target(true)])).toBeUndefined();
  });

  test('a loop that stands still in user code is blocked after the time-out, with the record', () => {
    expect(blockedAfter(new LoopWatch(600), [target(true)])).toEqual({
      elapsedMs: 3000,
      blocked: { pipeline: 'orders', blockedMs: 3000, timeoutMs: 3000, isInUserCode: true, record },
    });
  });

  test('a slow transform that goes from record to record is not blocked', () => {
    const watch = new LoopWatch(600);
    for (let calls = 0; calls < 100; calls += 1) {
      expect(watch.sample(1, 200, [target(true, 3000, 'orders', calls)])).toBeUndefined();
    }
  });

  test('one turn of the loop starts the time anew', () => {
    const watch = new LoopWatch(600);
    for (let sample = 0; sample < 15; sample += 1) expect(watch.sample(1, 200, [target(true)])).toBeUndefined();
    expect(blockedAfter(watch, [target(true)])?.elapsedMs).toBe(3000);
  });

  test('a process that was stopped for an hour was not blocked for an hour', () => {
    const watch = new LoopWatch(600);
    watch.sample(1, 200, [target(true)]);
    expect(watch.sample(1, 3_600_000, [target(true)])).toBeUndefined();
    expect(watch.sample(2, 200, [target(true)])).toBeUndefined();
  });

  test('a time-out too short to tell late from blocked is taken as two seconds', () => {
    expect(blockedAfter(new LoopWatch(600), [target(true, 1)])?.elapsedMs).toBe(2000);
  });

  test('without user code at work the most patient pipeline decides', () => {
    const found = blockedAfter(new LoopWatch(600), [target(false, 2400, 'quick'), target(false, 5000, 'patient')]);
    expect(found).toMatchObject({ elapsedMs: 5000, blocked: { pipeline: 'patient', isInUserCode: false } });
  });

  test('the pipeline whose code is at work decides by its own time-out', () => {
    const found = blockedAfter(new LoopWatch(600), [target(false, 10_000, 'idle'), target(true, 2400, 'busy')]);
    expect(found).toMatchObject({ elapsedMs: 2400, blocked: { pipeline: 'busy', isInUserCode: true } });
  });
});
