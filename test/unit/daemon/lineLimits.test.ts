import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LineBudget, SlowSyncs } from '../../../src/daemon/lineLimits.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

test('ten lines in ten seconds, then how many more there were', () => {
  const lines: string[] = [];
  const budget = new LineBudget((count) => lines.push(`${count} more`));
  const spend = (count: number) => {
    for (let n = 0; n < count; n += 1) budget.spend(() => lines.push('line'));
  };
  spend(12);
  vi.advanceTimersByTime(9_999);
  spend(3);
  expect(lines).toEqual(Array(10).fill('line'));
  vi.advanceTimersByTime(1);
  spend(1);
  expect(lines.slice(10)).toEqual(['5 more', 'line']);
  budget.flush();
  expect(lines).toHaveLength(12);
});

test('of slow syncs one line in ten seconds, with how many there were since the one before', () => {
  const told: Record<string, number>[] = [];
  const slow = new SlowSyncs((fields) => told.push(fields));
  const look = (ms: number) => slow.look({ ms, entries: 1, bytes: 10 });
  look(1500);
  vi.advanceTimersByTime(9_999);
  look(1600);
  look(500);
  vi.advanceTimersByTime(1);
  look(1700);
  expect(told).toEqual([
    { ms: 1500, entries: 1, bytes: 10, others: 0 },
    { ms: 1700, entries: 1, bytes: 10, others: 1 },
  ]);
});
