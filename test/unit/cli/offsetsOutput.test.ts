import { describe, expect, test } from 'vitest';
import { ageText, secondsText } from '../../../src/cli/ages.ts';
import { describedCsv, describedTable } from '../../../src/cli/describeOutput.ts';
import { lagTable } from '../../../src/cli/lagOutput.ts';
import { statesText } from '../../../src/cli/states.ts';
import type { StoredOffset } from '../../../src/offsets/index.ts';
import type { DescribedPartition, LagSummary } from '../../../src/operations/index.ts';
import { commandHere } from '../../support/commandHere.ts';

const lines = (text: string) => text.split('\n').map((line) => line.trim().split(/ {2,}/));

describe('ages and states for people', () => {
  test.each([
    [undefined, '-'],
    [0, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [7_200_000, '2h'],
    [200_000_000, '2d'],
  ])('%s ms are %s', (ms, text) => {
    expect(ageText(ms)).toBe(text);
  });

  test('what is not done is never 0 seconds', () => {
    expect([undefined, 0, 0.001, 3].map(secondsText)).toEqual(['-', '0', '1', '3']);
  });

  test('one state is its name, several are counted', () => {
    expect([{}, { running: 3 }, { running: 7, parked: 1 }].map(statesText)).toEqual([
      '-',
      'running',
      'running 7, parked 1',
    ]);
  });
});

describe('the table of lag', () => {
  const summary: LagSummary = {
    ...{ partitions: 2, lag: 5n, lagMax: 3n, lagUnknown: 0, lagSecondsMax: 1.5 },
    states: { running: 2 },
  };

  test('has a total where there are several topics', () => {
    const one = lagTable({ topics: [{ topic: 'a', ...summary }], total: summary });
    expect(lines(one)).toEqual([
      ['TOPIC', 'PARTITIONS', 'LAG-OFFSETS', 'MAX-LAG', 'LAG-S', 'STATE'],
      ['a', '2', '5', '3', '2', 'running'],
      [''],
    ]);
    const two = lagTable({
      topics: [
        { topic: 'a', ...summary },
        { topic: 'b', ...summary },
      ],
      total: summary,
    });
    expect(lines(two).at(-2)).toEqual(['TOTAL', '2', '5', '3', '2', 'running']);
  });

  test('says that a sum is a lower bound, and what is not known at all', () => {
    const unknown = { ...summary, lag: 0n, lagMax: undefined, lagUnknown: 2, lagSecondsMax: undefined };
    const text = lagTable({
      topics: [
        { topic: 'a', ...unknown },
        { topic: 'b', ...summary },
      ],
      total: { ...summary, lagUnknown: 2 },
    });
    expect(lines(text).slice(1, 4)).toEqual([
      ['a', '2', '-', '-', '-', 'running'],
      ['b', '2', '5', '3', '2', 'running'],
      ['TOTAL', '2', '≥5', '3', '2', 'running'],
    ]);
  });
});

describe('the table of describe', () => {
  const bounds = { logStartOffset: 0n, highWatermark: 12n, lastStableOffset: 11n };
  const first: DescribedPartition = {
    ...{ topic: 'orders', partition: 0, log: { topicId: 'id', bounds }, lag: 4n, lagSeconds: 3, groupOffset: 7n },
    row: { nextOffset: 7n, ownerEpoch: 5n } as StoredOffset,
    owner: {
      kind: 'process',
      id: '6b1f0c22-0000-4000-8000-000000000000',
      host: 'worker-1',
      pid: 412,
      isAlive: true,
      silentMs: 300,
    },
    ...{ lastCommitMs: 65_000, state: 'running', reason: undefined },
  };
  const reason =
    'RECORD_UNPARSABLE: The value of record orders-1@7 is not JSON, and this is a long sentence that nobody cuts';
  const parked = (partition: number): DescribedPartition => ({
    ...first,
    partition,
    state: 'parked',
    reason,
    owner: undefined,
  });

  test('shortens ids, and keeps host, pid and silence', () => {
    expect(lines(describedTable([first]))[1]).toEqual([
      ...['orders', '0', '7', '7', '0', '11', '4', '3', '6b1f0c22 worker-1:412', '5', '1m', 'running'],
    ]);
    const silent = { ...first, owner: first.owner && { ...first.owner, isAlive: false, silentMs: 130_000 } };
    expect(describedTable([silent])).toContain('6b1f0c22 worker-1:412 (silent 2m)');
    const member = { kind: 'member', id: 'consumer-payments-1-8c0e7a52', host: '10.0.0.7', pid: undefined } as const;
    const owner = { ...member, isAlive: true, silentMs: undefined };
    expect(describedTable([{ ...first, owner }])).toContain('consumer-payments-1-8c0… 10.0.0.7  ');
  });

  test('says below why partitions stand, once for all that have the same reason', () => {
    expect(describedTable([first, parked(1), parked(2)]).split('\n\n')[1]).toBe(
      `orders-1, orders-2 parked: ${reason}\n`,
    );
  });

  test('as CSV has the owner in columns of its own', () => {
    const [head, row] = describedCsv([{ ...first, reason: 'a, "b"' }])
      .split('\n')
      .slice(0, 2);
    expect(head?.split(',')).toHaveLength(16);
    expect(row).toBe(
      'orders,0,7,7,0,11,4,3,6b1f0c22-0000-4000-8000-000000000000,worker-1,412,true,5,65000,running,"a, ""b"""',
    );
  });
});

describe('wrong command lines', () => {
  test.each([
    [
      ['lag', '--watch', 'orders.yaml'],
      '--watch: not a number of seconds (orders.yaml), allowed: FILE --watch, --watch 5',
    ],
    [['lag', '--watch', '0', 'x'], '--watch: not a number of seconds (0)'],
    [['lag', 'x', '--watch', '--fail-over', '3'], '--watch: excludes --fail-over, allowed: one of them'],
    [['describe', '--csv', '--json', 'x'], '--csv: excludes --json, allowed: one of them'],
    [['list'], 'FILE: nothing says where to look, allowed: FILE, --store URL, --brokers LIST'],
    [['list', '--schema', 's', '--brokers', 'a:1'], '--schema: it goes with --store'],
  ])('%j', async (args, text) => {
    const { code, stdout, stderr } = await commandHere(['offsets', ...args]);
    expect(stderr).toContain(text);
    expect([code, stdout]).toEqual([2, '']);
  });
});
