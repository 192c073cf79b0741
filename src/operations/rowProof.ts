import { comparePartitions, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import type { CommittedRange, OffsetStore, StoredOffset } from '../offsets/index.ts';
import type { RowCensus, RowRun } from '../sinks/postgres/census/index.ts';
import { type Finding, findingAt } from './ledgerProof.ts';
import { incarnationOf } from './recount.ts';
import type { VerifiedPartition, VerifyStep } from './verify.ts';

/** The rows of a partition in the target against what the ledger counted. */
export interface RowCheck {
  readonly rows: number;
  /** Why not every range was held against its rows. */
  readonly reason: string | undefined;
  readonly findings: readonly Finding<RowRule>[];
}

export type RowRule = 'rows' | 'foreign rows';

const findingsMax = 20;

/** Takes the runs of a census apart by partition; each partition's must be taken to its end before the next one's. */
export class RunReader {
  readonly #census: RowCensus;
  #waiting: RowRun[] = [];
  #isOver = false;

  constructor(census: RowCensus) {
    this.#census = census;
  }

  /** The next run, which stays; undefined at the end. */
  async peek(): Promise<RowRun | undefined> {
    if (this.#waiting.length === 0 && !this.#isOver) {
      // From its end an array is emptied without moving the rest.
      this.#waiting = [...(await this.#census.next())].reverse();
      this.#isOver = this.#waiting.length === 0;
    }
    return this.#waiting.at(-1);
  }

  /** Takes the part of the next run that lies before `untilOffset`. */
  take(untilOffset?: bigint): RowRun | undefined {
    const run = this.#waiting.pop();
    if (run === undefined || untilOffset === undefined || run.untilOffset <= untilOffset) return run;
    this.#waiting.push({ ...run, fromOffset: untilOffset });
    return { ...run, untilOffset };
  }
}

export interface RowProofOptions {
  readonly store: OffsetStore;
  readonly census: RowCensus;
  /** By topic and partition. Their rows were read before the census was opened. */
  readonly partitions: readonly VerifiedPartition[];
  /** Rows of the ledger as they were after the census was opened. */
  readonly rowsAfter: readonly StoredOffset[];
  readonly onStep: (step: VerifyStep) => void;
}

/**
 * Holds the rows of a target against the history: in every range as many records with rows, and as many rows, as were counted; none in a
 * gap, before the first offset, behind the position. What is committed while this looks is in neither of the two.
 * Partitions that were reset have their offsets processed more than once: of those only all rows together are compared.
 */
export async function proveRows(options: RowProofOptions): Promise<ReadonlyMap<string, RowCheck>> {
  const { census, partitions, rowsAfter } = options;
  const after = new Map(rowsAfter.map((row) => [partitionKey(row), row]));
  const reader = new RunReader(census);
  const checks = new Map<string, RowCheck>();
  for (const verified of partitions) {
    await passOver(reader, verified, checks, census.table);
    checks.set(partitionKey(verified), await proveOne(options, reader, verified, after.get(partitionKey(verified))));
  }
  await passOver(reader, undefined, checks, census.table);
  return checks;
}

/** Rows of partitions before `next`: nobody asked for them, or the ledger does not know them. */
async function passOver(
  reader: RunReader,
  next: TopicPartition | undefined,
  checks: Map<string, RowCheck>,
  table: string,
): Promise<void> {
  for (let run = await reader.peek(); run !== undefined; run = await reader.peek()) {
    if (next !== undefined && comparePartitions(run, next) >= 0) return;
    reader.take();
    const key = partitionKey(run);
    const rows = rowsOf(run) + (checks.get(key)?.rows ?? 0);
    checks.set(key, {
      rows,
      reason: undefined,
      findings: [foreign(run, table, `${rows} rows of a partition that the ledger does not know`)],
    });
  }
}

async function proveOne(
  { store, census, onStep }: RowProofOptions,
  reader: RunReader,
  verified: VerifiedPartition,
  rowAfter: StoredOffset | undefined,
): Promise<RowCheck> {
  const { row, proof } = verified;
  const findings: Finding<RowRule>[] = [];
  const find = (finding: Finding<RowRule>) => findings.length < findingsMax && findings.push(finding);
  let rows = 0;
  /** Rows and offsets that have some, before `untilOffset`. */
  const count = async (untilOffset: bigint | undefined) => {
    let [found, offsets] = [0, 0n];
    let first: RowRun | undefined;
    for (
      let run = await reader.peek();
      run !== undefined && comparePartitions(run, verified) === 0;
      run = await reader.peek()
    ) {
      if (untilOffset !== undefined && run.fromOffset >= untilOffset) break;
      const part = reader.take(untilOffset);
      if (part === undefined) break;
      first ??= part;
      found += rowsOf(part);
      offsets += part.untilOffset - part.fromOffset;
    }
    rows += found;
    onStep({ what: 'rows', count: rows, of: verified });
    return { rows: found, offsets: Number(offsets), first };
  };
  if (row === undefined || proof === undefined) {
    await count(undefined);
    return { rows, reason: 'the partition has no position', findings };
  }
  if (proof.first.incarnation !== proof.newest.incarnation) {
    await count(undefined);
    const isStill = rowAfter?.nextOffset === row.nextOffset && rowAfter.incarnation === row.incarnation;
    if (proof.first.kind !== 'base' || !isStill) {
      return { rows, reason: 'it was reset, and its history is not whole or goes on', findings };
    }
    if (rows !== proof.counts.rows) {
      const text = `${rows} rows of ${partitionName(verified)} in ${census.table}, over all incarnations the ledger counts ${proof.counts.rows}`;
      find({ ...findingAt(proof.newest, 'rows', ''), seq: undefined, text });
    }
    return { rows, reason: 'it was reset: only all rows together are compared', findings };
  }
  const before = await count(proof.first.fromOffset);
  if (before.first !== undefined && proof.first.kind === 'base') {
    find(foreign(before.first, census.table, 'rows before the first offset of the pipeline'));
  }
  for await (const range of incarnationOf(store, verified)) {
    // What lies behind the row as it was read may not all be in the census.
    if (range.untilOffset > row.nextOffset) break;
    const found = await count(range.untilOffset);
    const { produced, rows: expected } = range.counts;
    if (found.rows !== expected || found.offsets !== produced) find(mismatch(range, census.table, found));
  }
  const position = rowAfter?.incarnation === row.incarnation ? rowAfter.nextOffset : undefined;
  await count(position);
  const beyond = await count(undefined);
  if (beyond.first !== undefined && position !== undefined) {
    find(foreign(beyond.first, census.table, `rows behind the position ${position}`));
  }
  return { rows, reason: undefined, findings };
}

function rowsOf({ fromOffset, untilOffset, rowsEach }: RowRun): number {
  return Number(untilOffset - fromOffset) * rowsEach;
}

function mismatch(
  range: CommittedRange,
  table: string,
  found: { readonly rows: number; readonly offsets: number },
): Finding<RowRule> {
  const { produced, rows } = range.counts;
  if (range.kind === 'gap')
    return findingAt(range, 'foreign rows', `is a gap, and ${table} has ${found.rows} rows of it`);
  const text = `counts ${rows} rows of ${produced} records, ${table} has ${found.rows} of ${found.offsets}`;
  return findingAt(range, 'rows', text);
}

function foreign({ topic, partition, fromOffset, untilOffset }: RowRun, table: string, what: string): Finding<RowRule> {
  const place = `${partitionName({ topic, partition })} offsets ${fromOffset} to ${untilOffset}`;
  const facts = { topic, partition, rule: 'foreign rows', seq: undefined, fromOffset, untilOffset } as const;
  return { ...facts, text: `${place}: ${table} has ${what}` };
}
