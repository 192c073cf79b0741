import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/platform/index.ts';
import { RateLimiter, type RateLimiterOptions } from '../../src/receiver/rateLimiter.ts';
import {
  checkPrerequisites,
  redisService,
  skipWithout,
  type TcpProxy,
  tcpProxy,
  topicPrefix,
  waitUntil,
} from '../services/index.ts';
import { freePort } from '../services/ports.ts';

const opened: RateLimiter[] = [];
let redisUrl = '';
let name = '';
beforeEach(async (context) => {
  const { ok, lines } = await checkPrerequisites(['redis']);
  if (!ok) skipWithout(context, 'redis-server', lines.join(' '));
  redisUrl = (await redisService()).url;
  name = topicPrefix();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((limiter) => limiter.close()));
});

async function open(options: Partial<RateLimiterOptions> = {}): Promise<RateLimiter> {
  const shared = { redisUrl, name };
  const limiter = await RateLimiter.open({ maxRate: 2000, initialRate: 0, clock: systemClock, shared, ...options });
  opened.push(limiter);
  return limiter;
}

/** Somebody who takes as much as is to be had, until the limiter is closed. */
function take(limiter: RateLimiter): { records: number } {
  const taken = { records: 0 };
  const call = async () => {
    for (;;) {
      await limiter.acquire(5);
      taken.records += 5;
    }
  };
  call().catch(() => {});
  return taken;
}

describe('a rate that is shared over Redis', () => {
  test('is that of all who have it together, and each gets a part', async () => {
    const startedMs = performance.now();
    const takers = [take(await open()), take(await open()), take(await open())];
    const total = () => takers.reduce((sum, { records }) => sum + records, 0);
    await waitUntil('4000 records', () => total() >= 4000);
    // Beside the pace, each has two slices under way.
    expect(total() / ((performance.now() - startedMs) / 1000)).toBeLessThan(2000 * 1.1);
    for (const { records } of takers) expect(records).toBeGreaterThan(400);
  });

  test('of less than a record in 10 ms is shared as well', async () => {
    const startedMs = performance.now();
    const takers = [take(await open({ maxRate: 40 })), take(await open({ maxRate: 40 }))];
    await waitUntil('60 records', () => takers.reduce((sum, { records }) => sum + records, 0) >= 60);
    expect(performance.now() - startedMs).toBeGreaterThan(1000);
  });

  test('is not used up by one whose own rate is lower', async () => {
    const [slow, fast] = [await open({ initialRate: 100 }), await open()];
    expect(slow.currentRate).toBe(100);
    const [bySlow, byFast] = [take(slow), take(fast)];
    await waitUntil('3000 records', () => byFast.records >= 3000);
    expect(bySlow.records).toBeGreaterThan(0);
    expect(bySlow.records).toBeLessThan(3000 / 4);
    slow.updateRate(5000);
    expect(slow.currentRate).toBe(2000);
    const before = bySlow.records;
    await waitUntil('the slow one takes its part', () => bySlow.records >= before + 1000);
  });

  test('is kept under its name, and forgotten after an hour', async () => {
    const limiter = await open();
    await limiter.acquire(1);
    const redis = new Redis(redisUrl);
    const keys = await redis.keys(`*${name}*`);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) expect(key).toMatch(new RegExp(`^tidemark:rate:${name}:`));
    const lifeTimesMs = await Promise.all(keys.map((key) => redis.pttl(key)));
    // -2: a slice that ended between the two looks.
    const kept = lifeTimesMs.filter((ms) => ms !== -2);
    expect(kept).not.toEqual([]);
    for (const ms of kept) expect(ms).toBeGreaterThan(3_000_000);
    await redis.quit();
  });

  test('goes on by itself when Redis has lost all keys', async () => {
    const taken = take(await open());
    await waitUntil('records', () => taken.records >= 100);
    const redis = new Redis(redisUrl);
    const keys = await redis.keys(`*${name}*`);
    await redis.del(keys);
    await redis.quit();
    const before = taken.records;
    await waitUntil('more records', () => taken.records >= before + 200);
  });
});

describe('without Redis', () => {
  let proxy: TcpProxy;
  let throughProxy: Partial<RateLimiterOptions>;
  beforeEach(async () => {
    const { hostname, port } = new URL(redisUrl);
    proxy = await tcpProxy({ host: hostname, port: Number(port) });
    throughProxy = { shared: { redisUrl: `redis://${proxy.host}:${proxy.port}`, name } };
  });
  afterEach(() => proxy.close());

  test.each([
    { what: 'is gone', begin: () => proxy.refuse(true).then(() => proxy.cut()), end: () => proxy.refuse(false) },
    { what: 'does not answer', begin: async () => proxy.pause(), end: async () => proxy.resume() },
  ])('that $what, whoever waits goes on waiting; it can be seen, and ends by itself', async ({ begin, end }) => {
    const limiter = await open(throughProxy);
    const taken = take(limiter);
    await waitUntil('records', () => taken.records >= 100);
    expect(limiter.failing).toBeUndefined();
    await begin();
    await waitUntil('the failure', () => limiter.failing !== undefined);
    expect(limiter.failing).toMatchObject({ code: 'RATE_LIMITER_UNREACHABLE', retriable: true });
    await end();
    const before = taken.records;
    await waitUntil('more records', () => taken.records >= before + 200 && limiter.failing === undefined);
  });

  test('a limiter that waits can be closed', async () => {
    const limiter = await open(throughProxy);
    take(limiter);
    await proxy.refuse(true);
    proxy.cut();
    await waitUntil('the failure', () => limiter.failing !== undefined);
    const waiting = expect(limiter.acquire(1)).rejects.toMatchObject({ code: 'RECEIVER_STOPPED' });
    await limiter.close();
    await waiting;
    await waitUntil('no connections', () => proxy.connections === 0);
  });

  test('a start fails, and says where', async () => {
    const url = `redis://someone:secret@127.0.0.1:${await freePort()}`;
    const failure = await open({ shared: { redisUrl: url, name } }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'RATE_LIMITER_UNREACHABLE', retriable: true });
    expect(String(failure)).toContain(new URL(url).host);
    expect(JSON.stringify(failure) + String(failure)).not.toContain('secret');
  });

  test('a wrong password is a start that fails', async () => {
    const { host } = new URL(redisUrl);
    await expect(open({ shared: { redisUrl: `redis://nobody:secret@${host}`, name } })).rejects.toMatchObject({
      code: 'RATE_LIMITER_UNREACHABLE',
    });
  });
});

describe('options', () => {
  test.each(['', 'localhost:6379', 'http://localhost:6379', 'redis://'])('%j is no URL of Redis', async (url) => {
    await expect(open({ shared: { redisUrl: url, name } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('no rate cannot be shared', async () => {
    await expect(open({ maxRate: 0 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
