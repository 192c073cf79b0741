import { messageOf } from '../errors.ts';
import type { CommittedOffset, GroupMemberDescription } from '../kafka/index.ts';
import { type PartitionKey, partitionKey } from '../model/index.ts';
import { isAlive, type OffsetStore, type OwnerStatus } from '../offsets/index.ts';
import { type Clock, systemClock } from '../platform/index.ts';
import type { Choice } from './choice.ts';
import { readLagSeconds } from './lagSeconds.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';

/** Who works on a partition: a process by the ledger's word, or a member of the consumer group by its coordinator's. */
export interface PartitionOwner {
  readonly kind: 'process' | 'member';
  /** Instance id of the process, or member id. */
  readonly id: string;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  readonly isAlive: boolean;
  /** Since its last heartbeat, in ms; undefined where that is not known. */
  readonly silentMs: number | undefined;
}

/** All that is known of one partition. */
export interface DescribedPartition extends PartitionPosition {
  /** What the pipeline's consumer group has committed. */
  readonly groupOffset: bigint | undefined;
  /** Age of the first unread record; undefined = unknown. */
  readonly lagSeconds: number | undefined;
  readonly owner: PartitionOwner | undefined;
  /** Age of the last commit; without a history, of the last change of the row. */
  readonly lastCommitMs: number | undefined;
}

export interface ProgressDescription {
  readonly partitions: readonly DescribedPartition[];
  /** What could not be found out, for people. */
  readonly warnings: readonly string[];
}

export interface DescribeOptions {
  readonly choice: Choice;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** Seconds of lag that are not known by then, from the beginning of the command, are not waited for. */
const secondsByMs = 1500;
const secondsLeastMs = 300;
/** A commit behind more resets than that is one that nobody asks for. */
const newestLooked = 4;

/** Every chosen partition, with who works on it and how far behind it is. Only reads. Throws like `readPositions`. */
export async function describeProgress(progress: Progress, options: DescribeOptions): Promise<ProgressDescription> {
  const { store, driver } = progress;
  const { clock = systemClock } = options;
  const beganMs = clock.monotonic();
  const reading = readPositions(progress, options.choice);
  const readSeconds = async () => {
    const positions = await reading;
    const leftMs = secondsByMs - (clock.monotonic() - beganMs);
    return readLagSeconds(driver, positions, { clock, deadlineMs: Math.max(secondsLeastMs, leftMs) });
  };
  const [positions, { seconds, late }, owners, commits, group] = await Promise.all([
    reading,
    readSeconds(),
    store.owners(),
    lastCommits(store, clock),
    readGroup(progress),
  ]);
  const processes = new Map(owners.map((owner) => [owner.instanceId, owner]));
  const partitions = positions.map((position): DescribedPartition => {
    const key = partitionKey(position);
    const { row } = position;
    const process = row === undefined || row.owner === null ? undefined : processOf(row.owner, processes);
    return {
      ...position,
      groupOffset: group.offsets.get(key),
      lagSeconds: seconds.get(key),
      owner: process ?? group.members.get(key),
      lastCommitMs: store.capabilities.history ? commits.get(key) : row?.ageMs,
    };
  });
  return { partitions, warnings: [...group.warnings, ...lateWarning(late)] };
}

/** Said of partitions whose seconds of lag did not come in time. */
export function lateWarning(late: number): readonly string[] {
  if (late === 0) return [];
  return [`the records of ${late} ${late === 1 ? 'partition' : 'partitions'} did not come in time: seconds unknown`];
}

function processOf(id: string, known: ReadonlyMap<string, OwnerStatus>): PartitionOwner {
  const owner = known.get(id);
  const silentMs = owner?.heartbeatAgeMs;
  const { host, pid } = owner ?? { host: undefined, pid: undefined };
  return { kind: 'process', id, host, pid, isAlive: owner !== undefined && isAlive(owner), silentMs };
}

interface GroupView {
  readonly offsets: ReadonlyMap<PartitionKey, bigint>;
  readonly members: ReadonlyMap<PartitionKey, PartitionOwner>;
  readonly warnings: readonly string[];
}

/** The group is told of, and not what the positions come from: one that does not answer is no reason to show nothing. */
async function readGroup({ driver, groupId }: Progress): Promise<GroupView> {
  if (driver === undefined || groupId === undefined) return { offsets: new Map(), members: new Map(), warnings: [] };
  const [committed, described] = await Promise.allSettled([
    driver.committedOffsets(groupId),
    driver.describeGroup(groupId),
  ]);
  const failed = [committed, described].flatMap((one) => (one.status === 'rejected' ? [messageOf(one.reason)] : []));
  return {
    offsets: committed.status === 'fulfilled' ? offsetsOf(committed.value) : new Map(),
    members: described.status === 'fulfilled' ? membersOf(described.value.members) : new Map(),
    warnings: failed.map((message) => `consumer group ${groupId}: ${message}`),
  };
}

function offsetsOf(committed: readonly CommittedOffset[]): ReadonlyMap<PartitionKey, bigint> {
  return new Map(committed.map((one) => [partitionKey(one), one.offset]));
}

function membersOf(members: readonly GroupMemberDescription[]): ReadonlyMap<PartitionKey, PartitionOwner> {
  const known = { kind: 'member', pid: undefined, isAlive: true, silentMs: undefined } as const;
  return new Map(
    members.flatMap(({ memberId: id, clientHost, assignment }) =>
      assignment.map((of) => [partitionKey(of), { ...known, id, host: clientHost.replace(/^\//, '') }] as const),
    ),
  );
}

/** Ages in ms of the newest commit of each partition. */
async function lastCommits(store: OffsetStore, clock: Clock): Promise<ReadonlyMap<PartitionKey, number>> {
  const newest = await store.newestRanges(1);
  const behind = newest.filter(({ kind }) => kind === 'reset');
  const older = behind.length === 0 ? [] : await store.newestRanges(newestLooked, behind);
  const ages = new Map<PartitionKey, number>();
  for (const range of [...newest, ...older]) {
    if (range.kind !== 'batch' && range.kind !== 'gap') continue;
    const key = partitionKey(range);
    const ageMs = Math.max(0, clock.now() - range.committedAtMs);
    ages.set(key, Math.min(ages.get(key) ?? ageMs, ageMs));
  }
  return ages;
}
