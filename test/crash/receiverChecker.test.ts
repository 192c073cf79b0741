import { describe, expect, it } from 'vitest';
import type { LedgerRange } from './checker.ts';
import {
  findPostedViolations,
  type PostedFacts,
  type PostedViolation,
  postedViolationKinds,
} from './receiverChecker.ts';

const range: LedgerRange = {
  partition: 0,
  seq: 1n,
  incarnation: 1n,
  fromOffset: 0n,
  untilOffset: 3n,
  records: 3n,
  produced: 3n,
  rows: 3n,
  dropped: 0n,
  skipped: 0n,
  deadLettered: 0n,
  owner: 'a',
  ownerEpoch: 1n,
  kind: 'batch',
  reason: null,
};

/** Five posts: two acknowledged, one without an answer that was stored, one that was not, one refused. */
const kept: PostedFacts = {
  posted: [
    { value: 'a', answer: 'acknowledged' },
    { value: 'b', answer: 'unknown' },
    { value: 'c', answer: 'unknown' },
    { value: 'd', answer: 'refused' },
    { value: 'e', answer: 'acknowledged' },
  ],
  rows: [
    { partition: 0, offset: 0n, value: 'a', serial: 1n },
    { partition: 0, offset: 1n, value: 'b', serial: 2n },
    { partition: 0, offset: 2n, value: 'e', serial: 3n },
  ],
  positions: [{ partition: 0, nextOffset: 3n, ownerEpoch: 1n }],
  ranges: [range],
};
const [first, second, third] = kept.rows as [Row, Row, Row];
type Row = PostedFacts['rows'][number];

/** One break of each kind, and the violations it must be reported as. */
const breaks: readonly [PostedViolation['kind'], Partial<PostedFacts>, also?: readonly PostedViolation['kind'][]][] = [
  // Lost before the commit: nothing in the ledger is wrong.
  [
    'acknowledgedMissing',
    {
      rows: [first, second],
      ranges: [{ ...range, untilOffset: 2n, records: 2n, produced: 2n, rows: 2n }],
      positions: [{ partition: 0, nextOffset: 2n, ownerEpoch: 1n }],
    },
  ],
  ['refusedStored', { rows: [first, { ...second, value: 'd' }, third] }],
  ['storedTwice', { rows: [first, { ...second, value: 'a' }, third] }],
  ['neverPosted', { rows: [first, { ...second, value: 'x' }, third] }],
  ['postOrder', { rows: [{ ...first, value: 'b' }, { ...second, value: 'a' }, third] }],
  ['numberMissing', { rows: [first, third] }, ['rangeMiscounted']],
  ['rowDuplicated', { rows: [first, first, second, third] }, ['storedTwice']],
  [
    'rangeHole',
    { ranges: [{ ...range, seq: 0n, fromOffset: -2n, untilOffset: -1n, records: 0n, produced: 0n, rows: 0n }, range] },
    ['firstPosition'],
  ],
];

describe('checker of what a client was answered', () => {
  it('reports nothing where the promise is kept', () => {
    expect(findPostedViolations(kept)).toEqual([]);
  });

  it.each(breaks)('reports %s', (kind, changes, also = []) => {
    const kinds = new Set(findPostedViolations({ ...kept, ...changes }).map((violation) => violation.kind));
    expect([...kinds].sort()).toEqual([kind, ...also].sort());
  });

  it('is tested for every kind of violation it knows', () => {
    const kinds = new Set(breaks.map(([kind]) => kind));
    expect(postedViolationKinds.filter((kind) => !kinds.has(kind))).toEqual([]);
  });
});
