import { TidemarkError } from '../errors.ts';
import { comparePartitions, partitionKey, type TopicPartition } from '../model/index.ts';
import type { CommittedRange, StoredOffset } from '../offsets/index.ts';
import { type Choice, chosen, requireFound } from './choice.ts';
import { type Finding, LedgerProof, type PartitionProof, proveEnd } from './ledgerProof.ts';
import type { Progress } from './progress.ts';
import { rangePages } from './rangePages.ts';

/** How far a long look is, for people. */
export interface VerifyStep {
  readonly what: 'ranges' | 'records' | 'rows';
  /** Looked at so far. */
  readonly count: number;
  readonly of: TopicPartition | undefined;
}

export interface VerifyOptions {
  readonly choice: Choice;
  readonly onStep?: ((step: VerifyStep) => void) | undefined;
}

/** The ledger's word on one partition, and whether it holds. */
export interface VerifiedPartition extends TopicPartition {
  /** Undefined for a partition that was removed, or has no row. */
  readonly row: StoredOffset | undefined;
  /** Undefined where there is no history. */
  readonly proof: PartitionProof | undefined;
  readonly findings: readonly Finding[];
  /** Findings of this partition beyond those that are listed. */
  readonly findingsLeftOff: number;
}

/** A running pipeline moves while it is looked at: so often a row and its history are read once more. */
const looksMax = 20;

/**
 * Proves I1 and I6 over the history of the chosen partitions, in bounded memory, and that every row stands where its history ends. Works
 * beside running processes. Throws STORE_INCAPABLE for a store that keeps no history, USAGE_INVALID for a pipeline it does not know.
 */
export async function verify(
  progress: Progress,
  { choice, onStep }: VerifyOptions,
): Promise<readonly VerifiedPartition[]> {
  const { store, pipeline } = progress;
  requireHistory(progress);
  const topics = choice.length === 0 ? undefined : [...new Set(choice.map(({ topic }) => topic))];
  const ledger = new LedgerProof();
  let count = 0;
  for await (const page of rangePages(store, { topics })) {
    for (const range of page) if (chosen(choice, range)) ledger.add(range);
    count += page.length;
    onStep?.({ what: 'ranges', count, of: page.at(-1) });
  }
  const proofs = new Map<string, PartitionProof>(ledger.partitions.map((proof) => [partitionKey(proof), proof]));
  const rows = (await store.read(topics)).filter((row) => chosen(choice, row));
  const all = new Map<string, TopicPartition>([...rows, ...proofs.values()].map((of) => [partitionKey(of), of]));
  requireKnown(progress, proofs.size > 0 || rows.length > 0 || choice.length > 0);
  requireFound(choice, [...all.values()], pipeline);
  const ends = await proveEnds(progress, [...all.values()], proofs, rows);
  return [...all.entries()]
    .sort(([, a], [, b]) => comparePartitions(a, b))
    .map(([key, { topic, partition }]) => {
      const proof = proofs.get(key);
      const end = ends.get(key);
      const findings = [...(proof?.findings ?? []), ...(end?.finding === undefined ? [] : [end.finding])];
      return { topic, partition, row: end?.row, proof, findings, findingsLeftOff: proof?.findingsLeftOff ?? 0 };
    });
}

interface End {
  readonly row: StoredOffset | undefined;
  readonly finding: Finding | undefined;
}

/**
 * Holds rows against the ends of their histories. They were not read at one moment: what does not fit is read again, the newest
 * range between two looks at the row. When the row is the same in both, all three are of one moment; when a commit moved it, that
 * commit has held it against its history itself.
 */
async function proveEnds(
  { store }: Progress,
  all: readonly TopicPartition[],
  proofs: ReadonlyMap<string, PartitionProof>,
  rows: readonly StoredOffset[],
): Promise<ReadonlyMap<string, End>> {
  const ends = new Map<string, End>();
  const first = byPartition(rows);
  let open = all.filter((of) => {
    const [key, row] = [partitionKey(of), first.get(partitionKey(of))];
    const finding = proveEnd(of, proofs.get(key), row);
    ends.set(key, { row, finding });
    return finding !== undefined;
  });
  const seen = new Map([...proofs].map(([key, { newest }]) => [key, newest.seq]));
  for (let look = 1; open.length > 0 && look <= looksMax; look += 1) {
    const topics = [...new Set(open.map(({ topic }) => topic))];
    const before = byPartition(await store.read(topics));
    const newest = byPartition(await store.newestRanges(1, open));
    const after = byPartition(await store.read(topics));
    open = open.filter((of) => {
      const key = partitionKey(of);
      const [row, range] = [after.get(key), newest.get(key)];
      const isCommitted = !isSame(before.get(key), row) && isBetween(before.get(key), range, row);
      ends.set(key, {
        row,
        finding: isCommitted ? undefined : proveEnd(of, withNewest(proofs.get(key), range, row), row),
      });
      // A row that is gone in both looks may have been there between them: the history would have grown.
      const isStill = isSame(before.get(key), row) && (row !== undefined || seen.get(key) === range?.seq);
      if (range !== undefined) seen.set(key, range.seq);
      return !isCommitted && !isStill;
    });
  }
  return ends;
}

function byPartition<T extends TopicPartition>(of: readonly T[]): ReadonlyMap<string, T> {
  return new Map(of.map((one) => [partitionKey(one), one]));
}

function isSame(a: StoredOffset | undefined, b: StoredOffset | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.nextOffset === b.nextOffset && a.incarnation === b.incarnation && a.ownerEpoch === b.ownerEpoch;
}

/** Whether the end of `range` lies at or behind the first row, and at or before the second: it was committed between two looks. */
function isBetween(
  before: StoredOffset | undefined,
  range: CommittedRange | undefined,
  after: StoredOffset | undefined,
) {
  if (before === undefined || range === undefined || after === undefined) return false;
  const end = { incarnation: range.incarnation, nextOffset: range.untilOffset };
  return isUpTo(before, end) && isUpTo(end, after);
}

type Place = Pick<StoredOffset, 'incarnation' | 'nextOffset'>;

function isUpTo(a: Place, b: Place): boolean {
  return a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.nextOffset <= b.nextOffset);
}

/** The proof with the range that is the newest by now. A partition that lost its row meanwhile ends with its removal. */
function withNewest(
  proof: PartitionProof | undefined,
  newest: CommittedRange | undefined,
  row: StoredOffset | undefined,
): PartitionProof | undefined {
  if (proof === undefined || newest === undefined || newest.seq === proof.newest.seq) {
    return proof === undefined || newest === undefined ? proof : { ...proof, newest };
  }
  const isNext = newest.incarnation !== proof.newest.incarnation && row !== undefined;
  return { ...proof, newest, ranges: proof.ranges + 1, incarnationSeq: isNext ? newest.seq : proof.incarnationSeq };
}

/** A slip in the name of a pipeline must not pass for a pipeline with which all is well. */
export function requireKnown({ pipeline, place }: Pick<Progress, 'pipeline' | 'place'>, isKnown: boolean): void {
  if (isKnown) return;
  throw new TidemarkError('USAGE_INVALID', `${pipeline} has neither positions nor a history (${place})`, {
    hint: 'tidemark offsets list shows what there is.',
  });
}

/** What needs a history, on a store that keeps none. */
export function requireHistory({ store, place }: Pick<Progress, 'store' | 'place'>): void {
  if (store.capabilities.history) return;
  throw new TidemarkError('STORE_INCAPABLE', `The offset store (${place}) keeps no history: capability history`, {
    hint: 'A history is kept by a ledger in PostgreSQL or Redis.',
  });
}
