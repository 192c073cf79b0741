import { describe, expect, test } from 'vitest';
import { noCounts } from '../../../src/model/index.ts';
import type { CommittedRange, StoredOffset } from '../../../src/offsets/index.ts';
import { LedgerProof, type ProofRule, proofRules, proveEnd } from '../../../src/operations/index.ts';

const of = { topic: 'orders', partition: 3 };

function range(seq: number, from: number, until: number, more: Partial<CommittedRange> = {}): CommittedRange {
  const records = more.kind === undefined || more.kind === 'batch' ? until - from : 0;
  const counts = { ...noCounts(), records, produced: records, rows: records };
  return {
    ...of,
    seq: BigInt(seq),
    incarnation: 1n,
    fromOffset: BigInt(from),
    untilOffset: BigInt(until),
    counts,
    owner: 'me',
    ownerEpoch: 1n,
    kind: 'batch',
    reason: null,
    committedAtMs: 0,
    ...more,
  };
}

const base = range(1, 5, 5, { kind: 'base', reason: 'first position', ownerEpoch: 0n });
const gap = range(3, 20, 30, { kind: 'gap', reason: 'expired' });
const reset = range(5, 7, 7, { kind: 'reset', reason: 'to 7', incarnation: 2n, ownerEpoch: 2n });
/** Everything a history can have, but for a removal. */
const whole = [
  base,
  range(2, 5, 20),
  gap,
  range(4, 30, 31),
  reset,
  range(6, 7, 9, { incarnation: 2n, ownerEpoch: 3n }),
];
const removal = range(7, 9, 9, { kind: 'reset', reason: 'removed', incarnation: 2n, ownerEpoch: 4n });
const again = range(8, 0, 0, { kind: 'base', reason: 'first position', incarnation: 3n, ownerEpoch: 4n });

function row(change: Partial<StoredOffset> = {}): StoredOffset {
  const facts = { topicId: 'id', leaderEpoch: -1, state: 'running', reason: null, ageMs: 0 } as const;
  return { ...of, ...facts, nextOffset: 9n, claim: null, owner: null, ownerEpoch: 3n, incarnation: 2n, ...change };
}

function prove(ranges: readonly CommittedRange[], stored: StoredOffset | undefined) {
  const proof = new LedgerProof();
  for (const one of ranges) proof.add(one);
  const [found] = proof.partitions;
  const end = proveEnd(of, found, stored);
  return [...(found?.findings ?? []), ...(end === undefined ? [] : [end])];
}

/** The whole history with one row changed. */
const changed = (seq: number, change: Partial<CommittedRange>) =>
  whole.map((one) => (one.seq === BigInt(seq) ? { ...one, ...change } : one));
const counted = (seq: number, change: Partial<CommittedRange['counts']>) =>
  changed(seq, { counts: { ...(whole[seq - 1] ?? base).counts, ...change } });

describe('a history that is whole', () => {
  test.each<[string, readonly CommittedRange[], StoredOffset | undefined]>([
    ['with batches, a gap and a reset', whole, row()],
    ['of a partition that nobody has claimed', [base], row({ nextOffset: 5n, incarnation: 1n, ownerEpoch: 0n })],
    ['whose row was claimed since', whole, row({ ownerEpoch: 9n, claim: 'me' })],
    ['that ends with the removal of its row', [...whole, removal], undefined],
    [
      'that begins again after a removal',
      [...whole, removal, again],
      row({ nextOffset: 0n, incarnation: 3n, ownerEpoch: 4n }),
    ],
    ['of which only the end is kept', whole.slice(3), row()],
    ['of which only a reset is kept, with its row', [reset], row({ nextOffset: 7n })],
    ['of which only a removal is kept', [removal], undefined],
    [
      'that was purged: sums in a base',
      [
        range(4, 0, 31, { kind: 'base', reason: 'purged', counts: { ...noCounts(), records: 16, dropped: 16 } }),
        ...whole.slice(4),
      ],
      row(),
    ],
    ['whose records gave several rows each', counted(2, { rows: 99 }), row()],
    [
      'whose records took every way',
      counted(2, { produced: 1, rows: 1, dropped: 2, skipped: 5, deadLettered: 7 }),
      row(),
    ],
    ['that has holes in the log', counted(2, { records: 3, produced: 3, rows: 3 }), row()],
    ['of a partition that does not exist', [], undefined],
  ])('%s has no finding', (_, ranges, stored) => {
    expect(prove(ranges, stored)).toEqual([]);
  });

  test('is summed up', () => {
    const proof = new LedgerProof();
    for (const one of whole) proof.add(one);
    expect(proof.partitions).toEqual([
      {
        ...of,
        ...{ ranges: 6, gaps: 1, gapOffsets: 10n, resets: 1, incarnationSeq: 5n },
        counts: { ...noCounts(), records: 18, produced: 18, rows: 18 },
        ...{ first: base, newest: whole.at(-1), findings: [], findingsLeftOff: 0 },
      },
    ]);
  });
});

describe('what is wrong is found', () => {
  const bugs: readonly (readonly [ProofRule, string, readonly CommittedRange[], StoredOffset | undefined])[] = [
    ['range', 'orders-3 seq 2, offsets 5 to 4, is no range of offsets', changed(2, { untilOffset: 4n }), row()],
    ['range', 'offsets -1 to -1, is no range of offsets', [{ ...base, fromOffset: -1n, untilOffset: -1n }], row()],
    ['range', 'seq 2, offsets 20 to 20, is a batch without offsets', changed(2, { fromOffset: 20n }), row()],
    ['order', 'comes after seq 1: rows of the history are missing', whole.toSpliced(1, 1), row()],
    ['order', 'comes after seq 2: rows of the history are missing', whole.toSpliced(2, 0, whole[1] ?? base), row()],
    ['order', 'seq 2, offsets 5 to 20, comes after seq 3', [base, gap, range(2, 5, 20)], row()],
    ['incarnation', 'is in incarnation 0, the first one is 1', [{ ...base, incarnation: 0n }], row()],
    ['incarnation', 'is in incarnation 3, the range before it in 1', changed(5, { incarnation: 3n }), row()],
    ['incarnation', 'is in incarnation 1, the range before it in 2', changed(6, { incarnation: 1n }), row()],
    [
      'contiguous',
      'orders-3 seq 3, offsets 20 to 30, leaves a hole: the range before it ends at 19',
      changed(2, { untilOffset: 19n }),
      row(),
    ],
    [
      'contiguous',
      'seq 4, offsets 29 to 31, overlaps: the range before it ends at 30',
      changed(4, { fromOffset: 29n }),
      row(),
    ],
    ['beginning', 'begins an incarnation with a batch', changed(5, { kind: 'batch', fromOffset: 6n }), row()],
    ['beginning', 'begins an incarnation with a gap', changed(5, { kind: 'gap' }), row()],
    [
      'beginning',
      'seq 1, offsets 5 to 20, begins an incarnation with a batch',
      [range(1, 5, 20), { ...gap, seq: 2n }],
      row(),
    ],
    [
      'beginning',
      'seq 1, offsets 4 to 5, begins an incarnation and has offsets of its own',
      changed(1, { fromOffset: 4n }),
      row(),
    ],
    ['beginning', 'is a base in the middle of an incarnation', changed(3, { kind: 'base' }), row()],
    ['beginning', 'is a reset and has offsets of its own', changed(5, { fromOffset: 6n }), row()],
    [
      'beginning',
      'begins an incarnation and has offsets of its own',
      changed(5, { kind: 'base', fromOffset: 6n }),
      row(),
    ],
    ['epoch', 'has the owner epoch 1, the range before it has 2', changed(6, { ownerEpoch: 1n }), row()],
    ['epoch', 'is a reset and did not raise the owner epoch 1', changed(5, { ownerEpoch: 1n }), row()],
    ['epoch', 'has the owner epoch -1', [{ ...base, ownerEpoch: -1n }], row()],
    [
      'counts',
      'counts 15 records, but 14 produced, 0 dropped, 0 skipped, 0 dead-lettered',
      counted(2, { produced: 14 }),
      row(),
    ],
    ['counts', 'counts 14 rows of 15 records that gave at least one each', counted(2, { rows: 14 }), row()],
    ['counts', 'counts 16 records, more than offsets', counted(2, { records: 16, dropped: 1 }), row()],
    ['counts', 'is a gap and counts 1 records', counted(3, { records: 1, skipped: 1 }), row()],
    ['counts', 'has a count that is none', counted(2, { dropped: -1, skipped: 1 }), row()],
    ['counts', 'has a count that is none', counted(2, { rows: Number.NaN }), row()],
    ['reason', 'is a gap without a reason', changed(3, { reason: null }), row()],
    ['reason', 'is a reset without a reason', changed(5, { reason: ' ' }), row()],
    [
      'removal',
      'follows the removal of the partition in its incarnation',
      [...whole, removal, range(8, 9, 10, { incarnation: 2n, ownerEpoch: 5n })],
      row({ nextOffset: 10n, ownerEpoch: 5n }),
    ],
    ['removal', 'is the end of the history, and no row stands there', whole, undefined],
    ['removal', 'is the end of the history, and no row stands there', whole.slice(0, 5), undefined],
    [
      'position',
      'The row of orders-3 is there, and its history ends with a removal (seq 7)',
      [...whole, removal],
      row({ ownerEpoch: 4n }),
    ],
    ['position', 'The row of orders-3 has no history at all', [], row()],
    ['position', 'stands at 8, its history ends at 9 (seq 6)', whole, row({ nextOffset: 8n })],
    ['position', 'stands at 10, its history ends at 9 (seq 6)', whole, row({ nextOffset: 10n })],
    ['position', 'is in incarnation 3, its history ends in 2', whole, row({ incarnation: 3n })],
    ['position', 'has the owner epoch 2, its history has 3', whole, row({ ownerEpoch: 2n })],
  ];

  test.each(bugs)('%s: %s', (rule, text, ranges, stored) => {
    const findings = prove(ranges, stored).filter((finding) => finding.text.includes(text));
    expect(findings.map((finding) => finding.rule)).toContain(rule);
    for (const finding of findings) expect(finding).toMatchObject(of);
  });

  test('by a table that has every rule', () => {
    expect(new Set(bugs.map(([rule]) => rule))).toEqual(new Set(proofRules));
  });

  test('and a history that is broken throughout is not repeated', () => {
    const proof = new LedgerProof();
    for (let seq = 1; seq <= 100; seq += 1) proof.add(range(seq, seq * 10, seq * 10 + 5));
    expect(proof.partitions[0]).toMatchObject({ findingsLeftOff: 80, findings: { length: 20 } });
  });

  test('in the partition where it is', () => {
    const proof = new LedgerProof();
    for (const one of whole) proof.add({ ...one, partition: 0 });
    for (const one of whole.toSpliced(2, 1)) proof.add(one);
    expect(proof.partitions.map(({ findings }) => findings.map(({ rule }) => rule))).toEqual([
      [],
      ['order', 'contiguous'],
    ]);
  });
});
