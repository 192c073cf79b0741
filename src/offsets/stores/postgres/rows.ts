import type { CommittedRange, Control, RangeKind } from '../../ledgerEntries.ts';
import type { OwnerStatus, PartitionState, StoredOffset } from '../../store.ts';

/** Column lists and rows as `pg` gives them: bigint as text, so that nothing passes through a number. */
export const offsetColumns = `o.topic, o.partition, o.next_offset::text, o.claim::text, o.owner, o.owner_epoch::text, o.topic_id,
  o.leader_epoch, o.incarnation::text, o.state, o.reason,
  (extract(epoch FROM clock_timestamp() - o.updated_at) * 1000)::float8 AS age_ms`;

export interface OffsetRow {
  topic: string;
  partition: number;
  next_offset: string;
  claim: string | null;
  owner: string | null;
  owner_epoch: string;
  topic_id: string;
  leader_epoch: number;
  incarnation: string;
  state: PartitionState;
  reason: string | null;
  age_ms: number;
}

export function storedOffset(row: OffsetRow): StoredOffset {
  return {
    topic: row.topic,
    partition: row.partition,
    nextOffset: BigInt(row.next_offset),
    claim: row.claim,
    owner: row.owner,
    ownerEpoch: BigInt(row.owner_epoch),
    topicId: row.topic_id,
    leaderEpoch: row.leader_epoch,
    incarnation: BigInt(row.incarnation),
    state: row.state,
    reason: row.reason,
    ageMs: row.age_ms,
  };
}

export const ownerColumns = `instance_id, host, boot_id, pid,
  (extract(epoch FROM clock_timestamp() - seen_at) * 1000)::float8 AS heartbeat_age_ms`;

export interface OwnerRow {
  instance_id: string;
  host: string;
  boot_id: string;
  pid: number;
  heartbeat_age_ms: number;
}

export function ownerStatus(row: OwnerRow): OwnerStatus {
  const { host, pid } = row;
  return { instanceId: row.instance_id, host, bootId: row.boot_id, pid, heartbeatAgeMs: row.heartbeat_age_ms };
}

export const rangeColumns = `r.topic, r.partition, r.seq::text, r.incarnation::text, r.from_offset::text, r.until_offset::text,
  r.records::text, r.produced::text, r.rows::text, r.dropped::text, r.skipped::text, r.dead_lettered::text, r.owner,
  r.owner_epoch::text, r.kind, r.reason, (extract(epoch FROM r.committed_at) * 1000)::float8 AS committed_at_ms`;

export interface RangeRow {
  topic: string;
  partition: number;
  seq: string;
  incarnation: string;
  from_offset: string;
  until_offset: string;
  records: string;
  produced: string;
  rows: string;
  dropped: string;
  skipped: string;
  dead_lettered: string;
  owner: string | null;
  owner_epoch: string;
  kind: RangeKind;
  reason: string | null;
  committed_at_ms: number;
}

export function committedRange(row: RangeRow): CommittedRange {
  return {
    topic: row.topic,
    partition: row.partition,
    seq: BigInt(row.seq),
    incarnation: BigInt(row.incarnation),
    fromOffset: BigInt(row.from_offset),
    untilOffset: BigInt(row.until_offset),
    counts: {
      records: Number(row.records),
      produced: Number(row.produced),
      rows: Number(row.rows),
      dropped: Number(row.dropped),
      skipped: Number(row.skipped),
      deadLettered: Number(row.dead_lettered),
    },
    owner: row.owner,
    ownerEpoch: BigInt(row.owner_epoch),
    kind: row.kind,
    reason: row.reason,
    committedAtMs: row.committed_at_ms,
  };
}

export const controlColumns = `c.id::text, c.topic, c.partition, c."order", c.from_offset::text, c.until_offset::text, c.reason, c.ordered_by,
  (extract(epoch FROM c.ordered_at) * 1000)::float8 AS ordered_at_ms`;

export interface ControlRow {
  id: string;
  topic: string | null;
  partition: number | null;
  order: 'pause' | 'skip';
  from_offset: string | null;
  until_offset: string | null;
  reason: string;
  ordered_by: string;
  ordered_at_ms: number;
}

export function control(row: ControlRow): Control {
  const { topic, partition, order, reason } = row;
  return {
    id: BigInt(row.id),
    topic,
    partition,
    order,
    fromOffset: row.from_offset === null ? null : BigInt(row.from_offset),
    untilOffset: row.until_offset === null ? null : BigInt(row.until_offset),
    reason,
    orderedBy: row.ordered_by,
    orderedAtMs: row.ordered_at_ms,
  };
}
