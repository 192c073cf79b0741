import { describe, expect, test } from 'vitest';
import { type Clock, StallMeter } from '../../../src/platform/index.ts';

/** Time by hand: timers that are due fire when the clock is told to move, as late as it moved. */
function handClock() {
  let now = 1_000;
  let timer: { dueMs: number; callback: () => void } | undefined;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    sleep: () => Promise.reject(new Error('not used')),
    after: (ms, callback) => {
      timer = { dueMs: now + ms, callback };
      return () => {
        timer = undefined;
      };
    },
  };
  return {
    clock,
    /** The event loop stands still for so long. */
    stall: (ms: number) => {
      now += ms;
    },
    /** Timers fire. */
    turn: () => {
      if (timer !== undefined && timer.dueMs <= now) timer.callback();
    },
    run(ms: number) {
      for (let passed = 0; passed < ms; passed += 10) {
        now += 10;
        this.turn();
      }
    },
    get armed() {
      return timer !== undefined;
    },
  };
}

describe('the stall meter', () => {
  test('an event loop that runs has not stalled', () => {
    const time = handClock();
    const meter = new StallMeter(time.clock);
    time.run(2_000);
    expect(meter.longestSince(0)).toBe(0);
  });

  test('gives the longest stall since a moment, and forgets what was before', () => {
    const time = handClock();
    const meter = new StallMeter(time.clock);
    for (const ms of [5_000, 300, 2_000, 700]) {
      time.run(100);
      time.stall(ms);
      time.turn();
    }
    expect(meter.longestSince(0)).toBeGreaterThanOrEqual(4_900);
    const afterFirst = 1_000 + 100 + 5_000 + 50;
    expect(meter.longestSince(afterFirst)).toBeGreaterThanOrEqual(1_900);
    expect(meter.longestSince(afterFirst)).toBeLessThanOrEqual(2_000);
  });

  test('a stall is seen by who asks before the timer has fired, and counted once', () => {
    const time = handClock();
    const meter = new StallMeter(time.clock);
    time.run(100);
    const before = time.clock.monotonic();
    time.stall(3_000);
    expect(meter.longestSince(before)).toBeGreaterThanOrEqual(2_900);
    time.turn();
    time.run(500);
    expect(meter.longestSince(before)).toBeLessThanOrEqual(3_000);
    expect(meter.longestSince(time.clock.monotonic())).toBe(0);
  });

  test('stops', () => {
    const time = handClock();
    const meter = new StallMeter(time.clock);
    meter.stop();
    expect(time.armed).toBe(false);
  });
});
