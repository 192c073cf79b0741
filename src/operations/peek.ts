import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import {
  OffsetRange,
  partitionName,
  type RecordCursor,
  type RecordHeaders,
  type TopicPartition,
} from '../model/index.ts';
import { type Damage, visitAround } from './damage.ts';
import { needsBrokers } from './movePlan.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';

export interface PeekOptions {
  readonly of: TopicPartition;
  /** Where to look; undefined = the position of the pipeline. */
  readonly offset?: bigint | undefined;
  /** Records before it, and records that follow the one that is there or comes next. */
  readonly before: number;
  readonly after: number;
}

/** A record with bytes of its own. */
export interface PeekedRecord {
  readonly offset: bigint;
  /** ms since 1970, -1 where the producer gave none. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: RecordHeaders;
}

export interface Peeked {
  readonly position: PartitionPosition;
  /** Where was looked. */
  readonly offset: bigint;
  /** Records with smaller offsets, the nearest last. */
  readonly before: readonly PeekedRecord[];
  /** The record at the offset, or the next one, and those that follow; empty at the end of the log. */
  readonly after: readonly PeekedRecord[];
  /** What could not be read on the way, by offset. */
  readonly damage: readonly Damage[];
}

/**
 * Committed records around an offset; what open or aborted transactions hold is not shown. Records before it are looked for in steps that
 * grow, down to the log start: compaction leaves holes. Throws USAGE_INVALID for a partition without a position where no offset is
 * given, without brokers, or for a partition they do not have.
 */
export async function peek(progress: Progress, { of, offset, before, after }: PeekOptions): Promise<Peeked> {
  const { driver } = progress;
  if (driver === undefined) throw needsBrokers();
  const [position] = await readPositions(progress, [{ topic: of.topic, partitions: new Set([of.partition]) }]);
  if (position?.log === undefined)
    throw unavailable(of, 'the brokers do not have it', 'Check --brokers, and the name of the topic.');
  const at = offset ?? position.row?.nextOffset;
  if (at === undefined) throw unavailable(of, 'it has no position yet', 'Say where to look: --offset.');
  const { topicId, bounds } = position.log;
  const log = { driver, topicId, ...bounds };
  const back = await readBack(log, of, at, before);
  const forward = await readForward(log, of, at, after + 1);
  return {
    position,
    offset: at,
    before: back.records,
    after: forward.records,
    damage: joined([...back.damage, ...forward.damage]),
  };
}

interface Log {
  readonly driver: KafkaDriver;
  readonly topicId: string;
  readonly logStartOffset: bigint;
  readonly lastStableOffset: bigint;
}

interface Found {
  readonly records: readonly PeekedRecord[];
  readonly damage: readonly Damage[];
}

async function readForward(log: Log, of: TopicPartition, at: bigint, wanted: number): Promise<Found> {
  const from = at < log.logStartOffset ? log.logStartOffset : at;
  if (from >= log.lastStableOffset) return { records: [], damage: [] };
  const records: PeekedRecord[] = [];
  const damage = await visitAround(log.driver, log.topicId, rangeOf(of, from, log.lastStableOffset), (cursor) => {
    records.push(copied(cursor));
    return records.length < wanted;
  });
  return { records, damage };
}

/** Offsets of the first step back for each record that is wanted; each further step is four times as long. */
const stepOffsets = 4n;

async function readBack(log: Log, of: TopicPartition, at: bigint, wanted: number): Promise<Found> {
  let records: readonly PeekedRecord[] = [];
  let damage: readonly Damage[] = [];
  let until = at < log.lastStableOffset ? at : log.lastStableOffset;
  for (let step = stepOffsets * BigInt(wanted); records.length < wanted && until > log.logStartOffset; step *= 4n) {
    const from = until - step < log.logStartOffset ? log.logStartOffset : until - step;
    const missing = wanted - records.length;
    // Of a step only its last records are kept: the memory of `missing` ones, however many lie there.
    const last: PeekedRecord[] = [];
    const found = await visitAround(log.driver, log.topicId, rangeOf(of, from, until), (cursor) => {
      last.push(copied(cursor));
      if (last.length > missing) last.shift();
      return true;
    });
    records = [...last, ...records];
    damage = [...found, ...damage];
    until = from;
  }
  return { records, damage };
}

/** A batch that two steps ran into is one. */
function joined(damage: readonly Damage[]): readonly Damage[] {
  const joint: Damage[] = [];
  for (const one of damage) {
    const last = joint.at(-1);
    if (last === undefined || one.fromOffset > last.untilOffset || one.error.code !== last.error.code) joint.push(one);
    else joint[joint.length - 1] = { ...last, untilOffset: one.untilOffset };
  }
  return joint;
}

function rangeOf({ topic, partition }: TopicPartition, from: bigint, until: bigint): OffsetRange {
  return new OffsetRange(topic, partition, from, until);
}

function copied(cursor: RecordCursor): PeekedRecord {
  const { buffer, keyStart, keyEnd, valueStart, valueEnd, offset, timestamp } = cursor;
  const bytes = (start: number, end: number) => (start < 0 ? null : Buffer.from(buffer.subarray(start, end)));
  const headers = cursor.headers().map(([name, value]) => [name, value === null ? null : Buffer.from(value)] as const);
  return { offset, timestamp, key: bytes(keyStart, keyEnd), value: bytes(valueStart, valueEnd), headers };
}

function unavailable({ topic, partition }: TopicPartition, what: string, hint: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `Nothing of ${partitionName({ topic, partition })} can be shown: ${what}`, {
    topic,
    partition,
    hint,
  });
}
