import { TidemarkError } from '../../../errors.ts';
import { partitionName } from '../../../model/index.ts';
import type { CommittedRange, Control, RangeKind } from '../../ledgerEntries.ts';
import type { OwnerStatus, PartitionState, StoredOffset } from '../../store.ts';

/** Rows as the scripts keep them: JSON, with 64-bit numbers as text and times in microseconds since 1970. */
export interface Row {
  readonly next: string;
  readonly claim: string | null;
  readonly owner: string | null;
  readonly epoch: string;
  readonly topicId: string;
  readonly leaderEpoch: number;
  readonly incarnation: string;
  readonly state: PartitionState;
  readonly reason: string | null;
  readonly changed: string;
}

export interface RangeRow {
  readonly seq: string;
  readonly incarnation: string;
  readonly from: string;
  readonly until: string;
  readonly records: string;
  readonly produced: string;
  readonly rows: string;
  readonly dropped: string;
  readonly skipped: string;
  readonly deadLettered: string;
  readonly owner: string | null;
  readonly epoch: string;
  readonly kind: RangeKind;
  readonly reason: string | null;
  readonly at: string;
}

interface ControlRow {
  readonly id: string;
  readonly topic: string | null;
  readonly partition: string | null;
  readonly order: Control['order'];
  readonly from: string | null;
  readonly until: string | null;
  readonly reason: string;
  readonly by: string;
  readonly at: string;
}

interface OwnerRow {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  readonly seen: string;
}

/** `now`: the server's time when it read the row, in microseconds. */
export function storedOffset(topic: string, partition: number, text: string, now: string): StoredOffset {
  return sound(`row of ${partitionName({ topic, partition })}`, text, (row: Row) => ({
    topic,
    partition,
    nextOffset: BigInt(row.next),
    claim: row.claim,
    owner: row.owner,
    ownerEpoch: BigInt(row.epoch),
    topicId: row.topicId,
    leaderEpoch: row.leaderEpoch,
    incarnation: BigInt(row.incarnation),
    state: row.state,
    reason: row.reason,
    ageMs: ageMs(row.changed, now),
  }));
}

export function committedRange(topic: string, partition: number, text: string): CommittedRange {
  return sound(`history of ${partitionName({ topic, partition })}`, text, (row: RangeRow) => ({
    topic,
    partition,
    seq: BigInt(row.seq),
    incarnation: BigInt(row.incarnation),
    fromOffset: BigInt(row.from),
    untilOffset: BigInt(row.until),
    counts: {
      records: Number(row.records),
      produced: Number(row.produced),
      rows: Number(row.rows),
      dropped: Number(row.dropped),
      skipped: Number(row.skipped),
      deadLettered: Number(row.deadLettered),
    },
    owner: row.owner,
    ownerEpoch: BigInt(row.epoch),
    kind: row.kind,
    reason: row.reason,
    committedAtMs: timeMs(row.at),
  }));
}

export function control(text: string): Control {
  return sound('list of orders', text, (row: ControlRow) => ({
    id: BigInt(row.id),
    topic: row.topic,
    partition: row.partition === null ? null : Number(row.partition),
    order: row.order,
    fromOffset: row.from === null ? null : BigInt(row.from),
    untilOffset: row.until === null ? null : BigInt(row.until),
    reason: row.reason,
    orderedBy: row.by,
    orderedAtMs: timeMs(row.at),
  }));
}

export function ownerStatus(instanceId: string, text: string, now: string): OwnerStatus {
  return sound('list of owners', text, ({ host, bootId, pid, seen }: OwnerRow) => ({
    ...{ instanceId, host, bootId, pid },
    heartbeatAgeMs: ageMs(seen, now),
  }));
}

/** What somebody else wrote into a key of ours is an error that says where, not a slip of a parser. */
function sound<R, T>(what: string, text: string, make: (row: R) => T): T {
  try {
    return make(JSON.parse(text) as R);
  } catch (cause) {
    throw new TidemarkError('STORE_REQUEST_FAILED', `The ${what} in Redis is damaged: ${text.slice(0, 100)}`, {
      cause,
      hint: 'Somebody wrote into the keys of tidemark. Restore them, or reset the partition.',
    });
  }
}

/** Fields and values of a hash, which Redis answers as one list. */
export function* pairs(list: readonly string[]): Generator<readonly [field: string, value: string]> {
  for (let index = 0; index + 1 < list.length; index += 2) yield [list[index] ?? '', list[index + 1] ?? ''];
}

/** Never negative: a server's clock may be set back. */
function ageMs(since: string, now: string): number {
  return Math.max(0, Number(BigInt(now) - BigInt(since)) / 1000);
}

function timeMs(micros: string): number {
  return Number(micros) / 1000;
}
