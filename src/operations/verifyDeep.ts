import { comparePartitions, partitionKey } from '../model/index.ts';
import type { CensusTable as RowTarget } from '../sinks/postgres/census/index.ts';
import { type Choice, chosen } from './choice.ts';
import { needsBrokers } from './movePlan.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';
import { type Recount, recount } from './recount.ts';
import { proveRows, type RowCheck } from './rowProof.ts';
import { type VerifiedPartition, type VerifyOptions, verify } from './verify.ts';

export type { RowTarget };

export interface DeepOptions extends VerifyOptions {
  /** The target whose rows are counted too; undefined = only the log. */
  readonly rows?: RowTarget | undefined;
}

/** A partition that was also held against the log, and against the target where one was given. */
export interface DeeplyVerified extends VerifiedPartition {
  readonly log: Recount;
  readonly rows: RowCheck | undefined;
}

/**
 * Proves the ledger, then reads the topics again as far as the brokers still have them and counts the records of every committed range
 * of the newest incarnation; with `rows` also counts the rows of the target. Throws USAGE_INVALID without brokers.
 */
export async function verifyDeep(progress: Progress, options: DeepOptions): Promise<readonly DeeplyVerified[]> {
  const { store, driver } = progress;
  const { choice, rows, onStep = () => {} } = options;
  if (driver === undefined) throw needsBrokers();
  const verified = await verify(progress, options);
  const positions = await positionsOf(progress, verified);
  const checks = rows === undefined ? undefined : await checkRows(progress, rows, verified, onStep);
  const found: DeeplyVerified[] = [];
  for (const one of [...verified, ...unknownTo(verified, checks, choice)].sort(comparePartitions)) {
    const key = partitionKey(one);
    const log = await recount(store, driver, one, positions.get(key)?.log, onStep);
    const check = checks?.get(key);
    const findings = [...one.findings, ...log.findings, ...(check?.findings ?? [])];
    found.push({ ...one, log, rows: check, findings });
  }
  return found;
}

/** Of partitions that were removed only the history is left: nobody need know their topics any more. */
async function positionsOf(
  progress: Progress,
  verified: readonly VerifiedPartition[],
): Promise<ReadonlyMap<string, PartitionPosition>> {
  const partitions = new Map<string, Set<number>>();
  for (const { topic, partition, row } of verified) {
    if (row !== undefined) partitions.set(topic, (partitions.get(topic) ?? new Set()).add(partition));
  }
  if (partitions.size === 0) return new Map();
  const choice = [...partitions].map(([topic, some]) => ({ topic, partitions: some }));
  return new Map((await readPositions(progress, choice)).map((one) => [partitionKey(one), one]));
}

/** Partitions that only the target has rows of. */
function unknownTo(
  verified: readonly VerifiedPartition[],
  checks: RowChecks | undefined,
  choice: Choice,
): readonly VerifiedPartition[] {
  const known = new Set<string>(verified.map(partitionKey));
  const findings = [...(checks ?? [])].flatMap(([key, check]) => (known.has(key) ? [] : check.findings.slice(0, 1)));
  const unproven = { row: undefined, proof: undefined, findings: [], findingsLeftOff: 0 };
  return findings.filter((of) => chosen(choice, of)).map(({ topic, partition }) => ({ topic, partition, ...unproven }));
}

type RowChecks = ReadonlyMap<string, RowCheck>;

async function checkRows(
  { store }: Progress,
  table: RowTarget,
  partitions: readonly VerifiedPartition[],
  onStep: NonNullable<VerifyOptions['onStep']>,
): Promise<RowChecks> {
  const { openRowCensus } = await import('../sinks/postgres/census/index.ts');
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  if (topics.length === 0) return new Map();
  const inStore = new Set((await store.read()).map(({ topic }) => topic));
  if (table.topicColumn === undefined && new Set([...topics, ...inStore]).size > 1) {
    const reason = 'the pipeline has several topics, and no column takes $topic';
    return new Map(partitions.map((of) => [partitionKey(of), { rows: 0, reason, findings: [] }]));
  }
  const census = await openRowCensus(table, topics);
  try {
    const rowsAfter = await store.read(topics);
    return await proveRows({ store, census, partitions, rowsAfter, onStep });
  } finally {
    await census.close();
  }
}
