import { describe, expect, it } from 'vitest';
import { PidRateEstimator } from '../../../src/scheduler/pidRateEstimator.ts';

// Vectors of Spark's PIDRateEstimatorSuite.
const base = { batchIntervalMs: 20, proportional: 1, integral: 0, derived: 0, minRate: 10 };
const measured = (timeMs: number, records: number, processingDelayMs: number, schedulingDelayMs: number) => ({
  timeMs,
  records,
  processingDelayMs,
  schedulingDelayMs,
});

describe('PID rate estimator', () => {
  it.each([
    ['batchIntervalMs', 0],
    ['batchIntervalMs', -1],
    ['proportional', -1],
    ['integral', -1],
    ['derived', -1],
    ['minRate', 0],
    ['minRate', -10],
  ])('refuses %s = %d', (name, value) => {
    expect(() => new PidRateEstimator({ ...base, [name]: value })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  it('says nothing on the first measurement, then the processing rate', () => {
    const estimator = new PidRateEstimator(base);
    expect(estimator.compute(measured(0, 10, 10, 0))).toBeUndefined();
    expect(estimator.compute(measured(10, 10, 10, 0))).toBe(1000);
  });

  it.each([
    ['a time that did not move on', measured(10, 10, 10, 0)],
    ['no records', measured(20, 0, 10, 0)],
    ['a negative number of records', measured(20, -10, 10, 0)],
    ['no processing delay', measured(20, 10, 0, 0)],
    ['a negative processing delay', measured(20, 10, -10, 0)],
  ])('says nothing for %s', (_, bad) => {
    const estimator = new PidRateEstimator(base);
    estimator.compute(measured(0, 10, 10, 0));
    estimator.compute(measured(10, 10, 10, 0));
    expect(estimator.compute(bad)).toBeUndefined();
  });

  it('never estimates below minRate', () => {
    const estimator = new PidRateEstimator({ ...base, integral: 1, minRate: 5 });
    const estimates = Array.from({ length: 50 }, (_, i) => estimator.compute(measured(20 * i, 1, 20, 100)));
    expect(estimates).toEqual([undefined, ...Array.from({ length: 49 }, () => 5)]);
  });

  it('with the default weights gives processing rate × (1 − 0.2 × scheduling delay / interval)', () => {
    const estimator = new PidRateEstimator({ ...base, batchIntervalMs: 1000, integral: 0.2, minRate: 100 });
    estimator.compute(measured(1000, 5000, 1000, 0));
    expect(estimator.compute(measured(2000, 5000, 1000, 500))).toBeCloseTo(5000 * (1 - 0.2 * 0.5), 6);
  });

  it('weighs the change of the error per second', () => {
    const estimator = new PidRateEstimator({ ...base, batchIntervalMs: 1000, derived: 1, minRate: 1 });
    estimator.compute(measured(1000, 1000, 1000, 0));
    // error = 1000 − 500 = 500, change = 500 per 2 s: 1000 − 500 − 250.
    expect(estimator.compute(measured(3000, 500, 1000, 0))).toBeCloseTo(250, 6);
  });
});
