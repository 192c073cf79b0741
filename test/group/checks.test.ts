import { describe, expect, it } from 'vitest';
import { randomness } from '../soak/randomness.ts';
import { compareCounts, compareWithLog } from './comparison.ts';
import { membersMax, type Step, scheduleOf } from './schedule.ts';

/** What the proof's silence is worth: its parts that judge and that decide, on their own. */
describe('the comparison of the table with the log', () => {
  const log = { offsets: [0, 1, 4, 7], values: ['a', 'b', 'c', 'd'] };
  const kindsOf = (offsets: number[], values: string[]) =>
    compareWithLog(0, log, { offsets, values }).map(({ kind, offset }) => [kind, Number(offset)]);

  it('has nothing to say of the same records in the same order', () => {
    expect(kindsOf([0, 1, 4, 7], ['a', 'b', 'c', 'd'])).toEqual([]);
  });

  it('names the record that has no row', () => {
    expect(kindsOf([0, 1, 7], ['a', 'b', 'd'])).toEqual([['rowMissing', 4]]);
  });

  it('names the row that is there twice', () => {
    expect(kindsOf([0, 1, 1, 4, 7], ['a', 'b', 'b', 'c', 'd'])).toEqual([['rowDuplicated', 1]]);
  });

  it('names the row of an aborted record, or of none', () => {
    expect(kindsOf([0, 1, 2, 4, 7], ['a', 'b', 'x', 'c', 'd'])).toEqual([['rowUncommitted', 2]]);
  });

  it('names the row that was inserted too late', () => {
    expect(kindsOf([0, 4, 1, 7], ['a', 'c', 'b', 'd'])).toEqual([['rowOrder', 1]]);
  });

  it('names the row that says something else than its record', () => {
    expect(kindsOf([0, 1, 4, 7], ['a', 'b', 'x', 'd'])).toEqual([['rowUnknown', 4]]);
  });

  it('counts the records of a range in the log', () => {
    const nothing = { produced: 0n, dropped: 0n, skipped: 0n, deadLettered: 0n, owner: 'me', reason: null };
    const place = { partition: 0, seq: 1n, incarnation: 0n, ownerEpoch: 1n, kind: 'batch', ...nothing };
    const rangeOf = (fromOffset: bigint, untilOffset: bigint, records: bigint) => ({
      ...place,
      fromOffset,
      untilOffset,
      records,
      rows: records,
    });
    expect(compareCounts(0, log, [rangeOf(0n, 2n, 2n), rangeOf(2n, 8n, 2n)])).toEqual([]);
    expect(compareCounts(0, log, [rangeOf(0n, 5n, 2n)])).toMatchObject([{ kind: 'rangeMiscounted' }]);
  });
});

describe('the schedule of faults', () => {
  const options = { durationMs: 90_000, partitions: 12, sessionTimeoutMs: 4_000 };
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);

  it('is the same for the same seed', () => {
    expect(scheduleOf(randomness(7), options)).toEqual(scheduleOf(randomness(7), options));
    expect(scheduleOf(randomness(7), options)).not.toEqual(scheduleOf(randomness(8), options));
  });

  it('has every kind of fault, hits only what is there, and one broker at a time', () => {
    for (const seed of seeds) expectSound(scheduleOf(randomness(seed), options));
  });

  it('goes on for as long as it is asked to', () => {
    const steps = scheduleOf(randomness(1), { ...options, durationMs: 600_000 });
    expect(steps.filter(({ kind }) => kind === 'scale')).toHaveLength(7 * 4);
    expect(steps.at(-1)?.atMs).toBeGreaterThan(500_000);
  });
});

function expectSound(steps: readonly Step[]): void {
  expect(new Set(steps.map(({ kind }) => kind)).size).toBe(6);
  let running = 0;
  let brokerBackMs = 0;
  for (const step of steps) {
    if (step.kind === 'scale') running = step.to;
    else if (step.kind === 'killLeader') {
      expect(step.atMs).toBeGreaterThanOrEqual(brokerBackMs);
      brokerBackMs = step.atMs + step.forMs;
    } else expect(step.member).toBeLessThan(running);
    expect(running).toBeLessThanOrEqual(membersMax);
  }
}
