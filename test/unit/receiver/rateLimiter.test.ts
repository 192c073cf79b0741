import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../../../src/platform/index.ts';
import { RateLimiter, type RateLimiterOptions } from '../../../src/receiver/rateLimiter.ts';

/** bottleneck knows no clock but the process's: here that one is moved by hand. */
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    now: Date.UTC(2026, 0, 1),
  });
});
const opened: RateLimiter[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((limiter) => limiter.close()));
  // What bottleneck is in the middle of.
  await vi.advanceTimersByTimeAsync(20);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

async function open(options: Partial<RateLimiterOptions> = {}): Promise<RateLimiter> {
  const limiter = await RateLimiter.open({ maxRate: 0, initialRate: 0, clock: systemClock, ...options });
  opened.push(limiter);
  return limiter;
}

interface Permit {
  readonly caller: number;
  readonly atMs: number;
}

/** Callers that take as much as they get, until they are rejected. */
function callers(limiter: RateLimiter, { weight = 1, count = 1, clock = systemClock } = {}): Permit[] {
  const permits: Permit[] = [];
  const startedMs = clock.monotonic();
  const call = async (caller: number) => {
    for (;;) {
      const permission = limiter.acquire(weight);
      if (permission !== undefined) await permission;
      permits.push({ caller, atMs: clock.monotonic() - startedMs });
    }
  };
  for (let caller = 0; caller < count; caller += 1) call(caller).catch(() => {});
  return permits;
}

/** Records in each 100 ms. */
function windowsOf(permits: readonly Permit[], weight: number, untilMs: number): number[] {
  const windows = new Array<number>(untilMs / 100).fill(0);
  for (const { atMs } of permits) {
    const at = Math.floor(atMs / 100);
    if (at < windows.length) windows[at] = (windows[at] ?? 0) + weight;
  }
  return windows;
}

/** Takes what is there without waiting for it. */
function takeAtOnce(limiter: RateLimiter): number {
  for (let taken = 0; ; taken += 1) {
    const permission = limiter.acquire(1, taken > 1_000_000 ? AbortSignal.abort() : undefined);
    if (permission === undefined) continue;
    permission.catch(() => {});
    return taken;
  }
}

const within = (value: number, expected: number, part: number) =>
  expect(Math.abs(value - expected) / expected, `${value} instead of ${expected}`).toBeLessThanOrEqual(part);

describe("Spark's RateLimiterSuite", () => {
  test('rate limiter initializes even without a maxRate set', async () => {
    const limiter = await open();
    limiter.updateRate(105);
    expect(limiter.currentRate).toBe(105);
  });

  test.each([
    { maxRate: 110, expected: 105 },
    { maxRate: 100, expected: 100 },
  ])('an update of 105 with a maxRate of $maxRate makes $expected', async ({ maxRate, expected }) => {
    const limiter = await open({ maxRate });
    limiter.updateRate(105);
    expect(limiter.currentRate).toBe(expected);
  });

  test('BlockGeneratorSuite, throttling: 1001 records per second in blocks of 100 ms over 2 s', async () => {
    const limiter = await open({ maxRate: 1001 });
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(2000);
    within(permits.length, 2002, 0.05);
    const blocks = windowsOf(permits, 1, 2000);
    const middle = blocks.slice(1, -1);
    within(middle.reduce((sum, records) => sum + records) / middle.length, 100, 0.05);
    expect(blocks.reduce((sum, records) => sum + records)).toBeGreaterThanOrEqual(permits.length - 15);
  });
});

describe('the rate', () => {
  test('0 is unlimited: everything passes without waiting', async () => {
    const limiter = await open();
    expect(limiter.currentRate).toBe(0);
    for (const records of [1, 500, 1e12]) expect(limiter.acquire(records)).toBeUndefined();
  });

  test.each([0, -1, Number.NaN])('an update of %d is ignored', async (rate) => {
    const limiter = await open({ maxRate: 100 });
    limiter.updateRate(rate);
    expect(limiter.currentRate).toBe(100);
  });

  test.each([
    { maxRate: 0, initialRate: 50, expected: 50 },
    { maxRate: 100, initialRate: 50, expected: 50 },
    { maxRate: 100, initialRate: 500, expected: 100 },
    { maxRate: 100, initialRate: 0, expected: 100 },
  ])('begins at $expected with maxRate $maxRate and initialRate $initialRate', async ({ expected, ...options }) => {
    expect((await open(options)).currentRate).toBe(expected);
  });

  test.each([
    { rate: 1000, weight: 1, count: 1 },
    { rate: 1000, weight: 500, count: 1 },
    { rate: 1001, weight: 1, count: 10 },
    { rate: 130, weight: 1, count: 2 },
    { rate: 50_000, weight: 500, count: 1 },
    { rate: 50_000, weight: 500, count: 10 },
    { rate: 50_000, weight: 50_000, count: 1 },
    { rate: 500_000, weight: 500, count: 10 },
    { rate: 500_000, weight: 50_000, count: 1 },
  ])('$rate records per second, $weight at a time by $count, come out even', async ({ rate, ...how }) => {
    const limiter = await open({ maxRate: rate });
    const permits = callers(limiter, how);
    // A record more: the one that is due at 5 s.
    await vi.advanceTimersByTimeAsync(5020);
    const lastMs = permits.at(-1)?.atMs ?? 0;
    within((permits.length * how.weight) / (lastMs / 1000), rate, 0.02);
    if (how.weight <= rate / 100) {
      expect(Math.max(...windowsOf(permits, how.weight, 5000).slice(1))).toBeLessThanOrEqual((rate / 10) * 1.2);
    }
  });

  test.each([80, 10, 3, 0.5])('%d records per second come one by one', async (rate) => {
    const permits = callers(await open({ maxRate: rate }));
    await vi.advanceTimersByTimeAsync(10_000);
    within(permits.length - 1, rate * 10, 0.02);
    const distances = permits.slice(1).map(({ atMs }, at) => atMs - (permits[at]?.atMs ?? 0));
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(1000 / rate - 15);
  });

  test('holds though the event loop stands still now and then', async () => {
    // The wall clock jumps and no timer has run meanwhile: as after 40 ms of somebody else's work.
    const clock: Clock = { ...systemClock, monotonic: () => Date.now() };
    const permits = callers(await open({ maxRate: 50_000, clock }), { weight: 50, clock });
    for (let stall = 0; stall < 10; stall += 1) {
      await vi.advanceTimersByTimeAsync(460);
      vi.setSystemTime(Date.now() + 40);
    }
    await vi.advanceTimersByTimeAsync(400);
    within((permits.length * 50) / ((permits.at(-1)?.atMs ?? 0) / 1000), 50_000, 0.02);
  });

  test('a rest saves up no more than one slice of 10 ms', async () => {
    const limiter = await open({ maxRate: 10_000 });
    expect(takeAtOnce(limiter)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(takeAtOnce(limiter)).toBe(100);
    await vi.advanceTimersByTimeAsync(60_000);
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(99);
    expect(permits.length).toBeGreaterThanOrEqual(1000);
    expect(permits.length).toBeLessThanOrEqual(1000 + 200);
  });

  test('comes back when the clock of the machine was set back by an hour', async () => {
    const limiter = await open({ maxRate: 1000 });
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(1000);
    vi.setSystemTime(Date.now() - 3_600_000);
    await vi.advanceTimersByTimeAsync(5100);
    const before = permits.length;
    await vi.advanceTimersByTimeAsync(1000);
    within(permits.length - before, 1000, 0.02);
  });
});

describe('a new rate', () => {
  test('is felt at once by whoever waits', async () => {
    const limiter = await open({ maxRate: 0, initialRate: 0.01 });
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(5000);
    expect(permits).toHaveLength(1);
    limiter.updateRate(10_000);
    await vi.advanceTimersByTimeAsync(100);
    within(permits.length, 1000, 0.15);
  });

  test('limits what was unlimited', async () => {
    const limiter = await open();
    expect(limiter.acquire(1e9)).toBeUndefined();
    limiter.updateRate(1000);
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(1000);
    within(permits.length, 1000, 0.02);
  });

  test('that is lower does not wait for what the higher one left', async () => {
    const limiter = await open({ maxRate: 500_000 });
    expect(limiter.acquire(1)).toBeInstanceOf(Promise);
    await vi.advanceTimersByTimeAsync(100);
    limiter.updateRate(100);
    const permits = callers(limiter);
    await vi.advanceTimersByTimeAsync(1000);
    expect(permits.length).toBeLessThanOrEqual(104);
  });

  test.each([50, 99, 5000])('every 10 ms lets no more than about %d records per second through', async (rate) => {
    const limiter = await open({ maxRate: 0, initialRate: rate });
    const permits = callers(limiter);
    for (let update = 0; update < 1000; update += 1) {
      limiter.updateRate(rate + (update % 2 === 0 ? rate / 50 : -rate / 50));
      await vi.advanceTimersByTimeAsync(10);
    }
    within(permits.length, rate * 10, 0.04);
  });
});

describe('callers', () => {
  test('pass in the order of their calls, the small behind the large', async () => {
    const limiter = await open({ maxRate: 100_000 });
    const order: string[] = [];
    const ask = (name: string, records: number) => {
      const note = () => order.push(`${name} ${performance.now() - startedMs <= 520}`);
      limiter.acquire(records)?.then(note, note);
    };
    const startedMs = performance.now();
    ask('large', 50_000);
    ask('small', 1);
    ask('last', 5000);
    await vi.advanceTimersByTimeAsync(480);
    expect(order).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(order).toEqual(['large true', 'small true', 'last false']);
  });

  test('get their turn, each of them', async () => {
    const permits = callers(await open({ maxRate: 1000 }), { count: 10 });
    await vi.advanceTimersByTimeAsync(2000);
    for (let caller = 0; caller < 10; caller += 1) {
      within(permits.filter((permit) => permit.caller === caller).length, permits.length / 10, 0.1);
    }
  });

  test('who gives up is rejected with the reason and lets the next one pass', async () => {
    const limiter = await open({ maxRate: 1000 });
    const giving = new AbortController();
    const first = limiter.acquire(1_000_000, giving.signal);
    const next = limiter.acquire(5);
    await vi.advanceTimersByTimeAsync(3000);
    const reason = new Error('no longer wanted');
    giving.abort(reason);
    await expect(first).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(20);
    await next;
    // What had been gathered is no burst now.
    expect(takeAtOnce(limiter)).toBeLessThanOrEqual(10);
  });

  test('who comes with an aborted signal gets nothing', async () => {
    const reason = new Error('too late');
    const limiter = await open();
    await expect(limiter.acquire(1, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('are rejected when the limiter is closed, and nothing is left behind', async () => {
    const limiter = await open({ maxRate: 1 });
    const waiting = [limiter.acquire(100), limiter.acquire(1, new AbortController().signal)];
    const settled = Promise.allSettled(waiting);
    await limiter.close();
    expect(await settled).toMatchObject(Array(2).fill({ status: 'rejected', reason: { code: 'RECEIVER_STOPPED' } }));
    await expect(limiter.acquire(1)).rejects.toMatchObject({ code: 'RECEIVER_STOPPED' });
    await limiter.close();
  });
});
