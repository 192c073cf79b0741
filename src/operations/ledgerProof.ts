import { noCounts, partitionKey, partitionName, type RangeCounts, type TopicPartition } from '../model/index.ts';
import type { CommittedRange, StoredOffset } from '../offsets/index.ts';

/** What a history and a row can be found guilty of. */
export const proofRules = [
  'range',
  'order',
  'incarnation',
  'contiguous',
  'beginning',
  'epoch',
  'counts',
  'reason',
  'removal',
  'position',
] as const;
export type ProofRule = (typeof proofRules)[number];

/** Something that is wrong with a range, or with the end of a history. */
export interface Finding<Rule extends string = string> extends TopicPartition {
  readonly rule: Rule;
  /** Undefined where it is not about one row of the history. */
  readonly seq: bigint | undefined;
  readonly fromOffset: bigint | undefined;
  readonly untilOffset: bigint | undefined;
  /** One sentence, with place and offsets. */
  readonly text: string;
}

/** What the history of a partition comes to. */
export interface PartitionProof extends TopicPartition {
  readonly ranges: number;
  readonly counts: Readonly<RangeCounts>;
  readonly gaps: number;
  readonly gapOffsets: bigint;
  readonly resets: number;
  /** The oldest row that is kept: what came before is not known, and not judged. */
  readonly first: CommittedRange;
  readonly newest: CommittedRange;
  /** First row of the newest incarnation. */
  readonly incarnationSeq: bigint;
  /** The first ones; a history that is broken throughout is not repeated here. */
  readonly findings: readonly Finding<ProofRule>[];
  readonly findingsLeftOff: number;
}

const findingsMax = 20;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface State extends Mutable<PartitionProof> {
  counts: RangeCounts;
  findings: Finding<ProofRule>[];
}

/**
 * Proves I1 and I6 over a history that is fed row by row, each partition's by seq: nothing is missing, nothing is there twice, and of
 * every record it is known what became of it. Keeps a few figures for each partition, however long its history is.
 */
export class LedgerProof {
  readonly #partitions = new Map<string, State>();

  add(range: CommittedRange): void {
    const key = partitionKey(range);
    const known = this.#partitions.get(key);
    const state = known ?? begin(range);
    if (known === undefined) this.#partitions.set(key, state);
    const before = known?.newest;
    const wrong = [
      ...alone(range),
      ...(range.seq === 1n ? beginning(range) : []),
      ...(before === undefined ? [] : after(before, isRemoval(state), range)),
    ];
    for (const [rule, text] of wrong) {
      if (state.findings.length < findingsMax) state.findings.push(findingAt(range, rule, text));
      else state.findingsLeftOff += 1;
    }
    if (before !== undefined && range.incarnation !== before.incarnation) state.incarnationSeq = range.seq;
    state.newest = range;
    state.ranges += 1;
    if (range.kind === 'reset') state.resets += 1;
    if (range.kind === 'gap') {
      state.gaps += 1;
      state.gapOffsets += range.untilOffset - range.fromOffset;
    }
    for (const name of Object.keys(state.counts) as (keyof RangeCounts)[]) state.counts[name] += range.counts[name];
  }

  /** In the order in which the partitions came. */
  get partitions(): readonly PartitionProof[] {
    return [...this.#partitions.values()];
  }
}

/**
 * Whether the row of a partition stands exactly where its history ends. A partition without a row must have been removed by an order,
 * one with a row must not.
 */
export function proveEnd(
  { topic, partition }: TopicPartition,
  proof: PartitionProof | undefined,
  row: StoredOffset | undefined,
): Finding<ProofRule> | undefined {
  const of = { topic, partition };
  if (proof === undefined) return row === undefined ? undefined : findingOfRow(row, 'has no history at all');
  const { newest } = proof;
  if (row === undefined) {
    // Of a history that was cut down to its newest row nobody can tell whether that row began an incarnation.
    if (isRemoval(proof) || (newest.kind === 'reset' && proof.ranges === 1)) return undefined;
    return findingAt(
      { ...newest, ...of },
      'removal',
      'is the end of the history, and no row stands there: nobody ordered its removal',
    );
  }
  if (isRemoval(proof)) return findingOfRow(row, `is there, and its history ends with a removal (seq ${newest.seq})`);
  if (row.incarnation !== newest.incarnation) {
    return findingOfRow(row, `is in incarnation ${row.incarnation}, its history ends in ${newest.incarnation}`);
  }
  if (row.nextOffset !== newest.untilOffset) {
    return findingOfRow(
      row,
      `stands at ${row.nextOffset}, its history ends at ${newest.untilOffset} (seq ${newest.seq})`,
    );
  }
  if (row.ownerEpoch < newest.ownerEpoch) {
    return findingOfRow(row, `has the owner epoch ${row.ownerEpoch}, its history has ${newest.ownerEpoch}`);
  }
  return undefined;
}

function begin(range: CommittedRange): State {
  const { topic, partition, seq } = range;
  const sums = { ranges: 0, counts: noCounts(), gaps: 0, gapOffsets: 0n, resets: 0 };
  return {
    topic,
    partition,
    ...sums,
    first: range,
    newest: range,
    incarnationSeq: seq,
    findings: [],
    findingsLeftOff: 0,
  };
}

/** A reset begins an incarnation; one that does not is what a removal leaves behind. */
function isRemoval({ newest, incarnationSeq }: Pick<PartitionProof, 'newest' | 'incarnationSeq'>): boolean {
  return newest.kind === 'reset' && newest.seq !== incarnationSeq;
}

type Wrong = readonly [rule: ProofRule, text: string];

/** What can be seen of a row by itself. */
function* alone(range: CommittedRange): Iterable<Wrong> {
  const { fromOffset, untilOffset, kind, counts, reason, incarnation, ownerEpoch } = range;
  const { records, produced, rows, dropped, skipped, deadLettered } = counts;
  if (fromOffset < 0n || untilOffset < fromOffset) yield ['range', 'is no range of offsets'];
  if (kind === 'batch' && fromOffset === untilOffset) yield ['range', 'is a batch without offsets'];
  if (incarnation < 1n) yield ['incarnation', `is in incarnation ${incarnation}, the first one is 1`];
  if (ownerEpoch < 0n) yield ['epoch', `has the owner epoch ${ownerEpoch}`];
  const all = [records, produced, rows, dropped, skipped, deadLettered];
  if (!all.every((count) => Number.isSafeInteger(count) && count >= 0)) yield ['counts', 'has a count that is none'];
  if (records !== produced + dropped + skipped + deadLettered) {
    const parts = `${produced} produced, ${dropped} dropped, ${skipped} skipped, ${deadLettered} dead-lettered`;
    yield ['counts', `counts ${records} records, but ${parts}`];
  }
  if (rows < produced) yield ['counts', `counts ${rows} rows of ${produced} records that gave at least one each`];
  if (BigInt(records) > untilOffset - fromOffset) yield ['counts', `counts ${records} records, more than offsets`];
  if (kind === 'gap' && records > 0) yield ['counts', `is a gap and counts ${records} records`];
  if (kind === 'reset' && (fromOffset !== untilOffset || records > 0))
    yield ['beginning', 'is a reset and has offsets of its own'];
  if ((kind === 'gap' || kind === 'reset') && (reason === null || reason.trim() === '')) {
    yield ['reason', `is a ${kind} without a reason`];
  }
}

/** What can be seen of a row and the one before it. */
function* after(before: CommittedRange, isAfterRemoval: boolean, range: CommittedRange): Iterable<Wrong> {
  const { seq, incarnation, ownerEpoch, fromOffset, kind } = range;
  if (seq !== before.seq + 1n) yield ['order', `comes after seq ${before.seq}: rows of the history are missing`];
  if (ownerEpoch < before.ownerEpoch) {
    yield ['epoch', `has the owner epoch ${ownerEpoch}, the range before it has ${before.ownerEpoch}`];
  } else if (kind === 'reset' && ownerEpoch === before.ownerEpoch) {
    yield ['epoch', `is a reset and did not raise the owner epoch ${ownerEpoch}`];
  }
  if (incarnation === before.incarnation) {
    if (fromOffset > before.untilOffset)
      yield ['contiguous', `leaves a hole: the range before it ends at ${before.untilOffset}`];
    if (fromOffset < before.untilOffset)
      yield ['contiguous', `overlaps: the range before it ends at ${before.untilOffset}`];
    if (kind === 'base') yield ['beginning', 'is a base in the middle of an incarnation'];
    if (isAfterRemoval) yield ['removal', 'follows the removal of the partition in its incarnation'];
    return;
  }
  if (incarnation !== before.incarnation + 1n) {
    yield ['incarnation', `is in incarnation ${incarnation}, the range before it in ${before.incarnation}`];
  }
  yield* beginning(range);
}

/** A purge leaves a base with sums, but never as the first row of all, and never at the beginning of a later incarnation. */
function* beginning({ kind, fromOffset, untilOffset }: CommittedRange): Iterable<Wrong> {
  if (kind !== 'base' && kind !== 'reset') {
    yield ['beginning', `begins an incarnation with a ${kind}, not with a reset or a base`];
  } else if (kind === 'base' && fromOffset !== untilOffset) {
    yield ['beginning', 'begins an incarnation and has offsets of its own'];
  }
}

/** A finding about a row of the history; `text` goes on from its place. */
export function findingAt<Rule extends string>(range: CommittedRange, rule: Rule, text: string): Finding<Rule> {
  const { topic, partition, seq, fromOffset, untilOffset } = range;
  const place = `${partitionName({ topic, partition })} seq ${seq}, offsets ${fromOffset} to ${untilOffset}`;
  return { topic, partition, rule, seq, fromOffset, untilOffset, text: `${place}, ${text}` };
}

function findingOfRow({ topic, partition, nextOffset }: StoredOffset, text: string): Finding<ProofRule> {
  const ends = { seq: undefined, fromOffset: undefined, untilOffset: nextOffset };
  return {
    topic,
    partition,
    rule: 'position',
    ...ends,
    text: `The row of ${partitionName({ topic, partition })} ${text}`,
  };
}
