import { describe, expect, it } from 'vitest';
import {
  type Facts,
  findViolations,
  type LedgerRange,
  summaryOf,
  type ViolationKind,
  violationKinds,
} from './checker.ts';

const range: LedgerRange = {
  partition: 0,
  seq: 1n,
  incarnation: 1n,
  fromOffset: 10n,
  untilOffset: 14n,
  records: 3n,
  produced: 2n,
  rows: 3n,
  dropped: 1n,
  skipped: 0n,
  deadLettered: 0n,
  owner: 'a',
  ownerEpoch: 1n,
  kind: 'batch',
  reason: null,
};
const second: LedgerRange = {
  ...range,
  seq: 2n,
  fromOffset: 14n,
  untilOffset: 16n,
  records: 1n,
  produced: 1n,
  rows: 1n,
  dropped: 0n,
  owner: 'b',
  ownerEpoch: 2n,
};

/** Offsets 10 to 15 of one partition: two rows, a drop, an aborted record, one row, then a marker, one row. */
const kept: Facts = {
  firstOffsets: [10n],
  produced: [
    { partition: 0, offset: 10n, value: 'two', fate: 'committed' },
    { partition: 0, offset: 11n, value: 'none', fate: 'committed' },
    { partition: 0, offset: 12n, value: 'one', fate: 'aborted' },
    { partition: 0, offset: 13n, value: 'one', fate: 'committed' },
    { partition: 0, offset: 15n, value: 'one', fate: 'committed' },
  ],
  rowsOf: ({ value }) => ({ none: [], one: ['x'], two: ['x', 'y'] })[value] ?? 'skipped',
  rows: [
    { partition: 0, offset: 10n, value: 'x', serial: 1n },
    { partition: 0, offset: 10n, value: 'y', serial: 2n },
    { partition: 0, offset: 13n, value: 'x', serial: 5n },
    { partition: 0, offset: 15n, value: 'x', serial: 6n },
  ],
  positions: [{ partition: 0, nextOffset: 16n, ownerEpoch: 2n }],
  ranges: [range, second],
};
const [firstRow, ...otherRows] = kept.rows as [Facts['rows'][number], ...Facts['rows'][number][]];

/** One break of each kind, and the violations it must be reported as. */
const breaks: readonly [name: ViolationKind, changes: Partial<Facts>, alsoKinds?: readonly ViolationKind[]][] = [
  ['positionMissing', { positions: [] }],
  ['firstPosition', { firstOffsets: [9n] }],
  ['rangeOverlap', { ranges: [range, { ...second, fromOffset: 13n }] }, ['rangeMiscounted']],
  ['rangeHole', { ranges: [range, { ...second, fromOffset: 15n }] }],
  ['historyEnd', { positions: [{ partition: 0, nextOffset: 17n, ownerEpoch: 2n }] }],
  ['gapWithoutReason', { ranges: [range, { ...second, kind: 'gap' }], rows: kept.rows.slice(0, 3) }],
  ['rowMissing', { rows: otherRows }],
  ['rowDuplicated', { rows: [firstRow, { ...firstRow, serial: 2n }, ...otherRows] }],
  ['rowOutsideRanges', { ranges: [range], positions: [{ partition: 0, nextOffset: 14n, ownerEpoch: 2n }] }],
  ['rowUnknown', { rows: [...kept.rows, { ...firstRow, offset: 99n, serial: 7n }] }],
  ['rowUnknown', { rows: [{ ...firstRow, value: 'z' }, ...otherRows] }, ['rowMissing']],
  [
    'epochFell',
    {
      ranges: [
        { ...range, ownerEpoch: 2n, owner: 'b' },
        { ...second, ownerEpoch: 1n },
      ],
    },
  ],
  ['epochShared', { ranges: [range, { ...second, ownerEpoch: 1n }] }],
  ['epochAhead', { positions: [{ partition: 0, nextOffset: 16n, ownerEpoch: 1n }] }],
  ['ownerMissing', { ranges: [range, { ...second, owner: null }] }],
  ['rowOrder', { rows: [...otherRows, { ...firstRow, serial: 9n }] }],
  ['rowUncommitted', { rows: [...kept.rows, { ...firstRow, offset: 12n, serial: 4n }] }],
  ['rangeUnbalanced', { ranges: [{ ...range, deadLettered: 1n }, second] }],
  ['rangeMiscounted', { ranges: [{ ...range, records: 4n, produced: 3n }, second] }],
];

describe('checker of the promise', () => {
  it('reports nothing where the promise is kept', () => {
    expect(findViolations(kept)).toEqual([]);
  });

  it.each(breaks)('reports %s', (kind, changes, alsoKinds = []) => {
    const kinds = new Set(findViolations({ ...kept, ...changes }).map((violation) => violation.kind));
    expect([...kinds].sort()).toEqual([kind, ...alsoKinds].sort());
  });

  it('is tested for every kind of violation it knows', () => {
    expect([...new Set(breaks.map(([kind]) => kind))].sort()).toEqual(Object.keys(violationKinds).sort());
  });

  it('accepts a declared gap, and nothing in it', () => {
    const gap: LedgerRange = { ...second, kind: 'gap', reason: 'expired', records: 0n, produced: 0n, rows: 0n };
    const facts = { ...kept, ranges: [range, gap] };
    expect(findViolations({ ...facts, rows: kept.rows.slice(0, 3) })).toEqual([]);
    expect(findViolations(facts)).toMatchObject([{ kind: 'rowOutsideRanges', offset: 15n }]);
  });

  it('counts skipped records, which have no rows', () => {
    const facts: Facts = { ...kept, rowsOf: (record) => (record.offset === 15n ? 'skipped' : kept.rowsOf(record)) };
    const ranges = [range, { ...second, produced: 0n, rows: 0n, skipped: 1n }];
    expect(findViolations({ ...facts, ranges, rows: kept.rows.slice(0, 3) })).toEqual([]);
    expect(findViolations({ ...facts, ranges })).toMatchObject([{ kind: 'rowUnknown', offset: 15n }]);
  });

  it('after a reset expects the rows of both incarnations', () => {
    const again = { ...range, seq: 3n, incarnation: 2n, ownerEpoch: 3n };
    const facts = {
      ...kept,
      ranges: [range, second, again],
      positions: [{ partition: 0, nextOffset: 14n, ownerEpoch: 3n }],
    };
    expect(findViolations(facts).map(({ kind }) => kind)).toEqual(['rowMissing', 'rowMissing', 'rowMissing']);
    expect(findViolations({ ...facts, rows: [...kept.rows, ...kept.rows.slice(0, 3)] })).toEqual([]);
  });

  it('sees partitions apart', () => {
    const elsewhere = kept.rows.map((row) => ({ ...row, partition: 1 }));
    const facts = { ...kept, firstOffsets: [10n, 10n], rows: elsewhere };
    const kinds = new Set(findViolations(facts).map(({ partition, kind }) => `${partition} ${kind}`));
    expect([...kinds]).toEqual(['0 rowMissing', '1 positionMissing', '1 rowUnknown']);
  });

  it('sums up what it found', () => {
    const text = summaryOf(findViolations({ ...kept, rows: [] }));
    expect(text).toBe('I2 rowMissing × 4: partition 0: no row of offset 10 x, which a range holds');
  });
});
