import { describe, expect, it } from 'vitest';
import { recordsPerBatch, recordsPerSecond, TokenBucket } from '../../../src/direct/rateLimit.ts';

describe("records per batch, Spark's formula", () => {
  it('max rate without back-pressure: floor of seconds × rate', () => {
    expect(recordsPerBatch([50n, 50n], { rate: undefined, maxRatePerPartition: 100 }, 100, 1)).toEqual([10, 10]);
  });

  it.each([
    [100, 50],
    [50, 25],
    [20, 10],
  ])('an estimate of %d records/s in batches of 500 ms takes %d', (rate, expected) => {
    expect(recordsPerBatch([5000n], { rate, maxRatePerPartition: 100 }, 500, 1)).toEqual([expected]);
  });

  it.each([
    [500, 1000, 250],
    [1000, 300, 150],
  ])('an initial rate of %d under a max of %d takes %d of 500 ms', (rate, maxRatePerPartition, expected) => {
    expect(recordsPerBatch([1000n], { rate, maxRatePerPartition }, 500, 1)).toEqual([expected]);
  });

  it('shares a rate out by lag and caps each share', () => {
    expect(recordsPerSecond([100n, 300n, 0n], { rate: 400, maxRatePerPartition: 0 })).toEqual([100, 300, 0]);
    expect(recordsPerSecond([100n, 300n, 0n], { rate: 400, maxRatePerPartition: 150 })).toEqual([100, 150, 0]);
  });

  it('takes at least minRatePerPartition a batch, not multiplied by seconds', () => {
    expect(recordsPerBatch([1n, 1_000_000n], { rate: 100, maxRatePerPartition: 0 }, 5000, 3)?.[0]).toBe(3);
  });

  it('knows no limit where nothing lags, or nothing is set', () => {
    expect(recordsPerSecond([0n, 0n], { rate: 100, maxRatePerPartition: 10 })).toBeUndefined();
    expect(recordsPerSecond([5n], { rate: undefined, maxRatePerPartition: 0 })).toBeUndefined();
  });
});

describe('token bucket of continuous mode', () => {
  it('never gives more than rate × time + 100 ms of burst', () => {
    const bucket = new TokenBucket();
    let taken = 0;
    for (let nowMs = 0; nowMs <= 10_000; nowMs += 7) {
      const available = bucket.available(1000, nowMs);
      bucket.take(available);
      taken += available;
    }
    expect(taken).toBeLessThanOrEqual(1000 * 10 + 100);
    expect(taken).toBeGreaterThanOrEqual(1000 * 10 - 10);
  });

  it('saves up at most 100 ms over a pause', () => {
    const bucket = new TokenBucket();
    bucket.take(bucket.available(1000, 0));
    expect(bucket.available(1000, 60_000)).toBe(100);
  });

  it('lets a rate below one record per 100 ms through, a record at a time', () => {
    const bucket = new TokenBucket();
    bucket.take(bucket.available(2, 0));
    let nowMs = 0;
    let taken = 0;
    while (taken < 3) {
      nowMs += bucket.waitMs(2);
      const available = bucket.available(2, nowMs);
      bucket.take(available);
      taken += available;
    }
    expect(nowMs).toBeGreaterThanOrEqual(1000);
    expect(nowMs).toBeLessThan(2000);
  });
});
