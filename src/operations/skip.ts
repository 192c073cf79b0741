import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { OffsetRange, partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import type { StoredOffset } from '../offsets/index.ts';
import { type ApplyOptions, applyMoves } from './applyMoves.ts';
import { isDamage } from './damage.ts';
import { needsBrokers, seenOf } from './movePlan.ts';
import { requireControls } from './orders.ts';
import type { Planned } from './planned.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';
import { visitRecords } from './readRecords.ts';

export interface SkipOptions extends ApplyOptions {
  readonly of: TopicPartition;
  /** First offset to pass over; undefined = the record the partition stands at. */
  readonly fromOffset: bigint | undefined;
  /** First offset not to pass over; undefined = one record. */
  readonly untilOffset: bigint | undefined;
  readonly reason: string;
  /** False: only the plan. */
  readonly execute: boolean;
}

export interface SkipPlan extends TopicPartition {
  readonly position: bigint;
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  /** Records among these offsets, as the brokers have them; undefined where they cannot be read. */
  readonly records: number | undefined;
  /** `now`: the position moves; `ahead`: an order waits for the position to come there. */
  readonly when: 'now' | 'ahead';
  readonly executed: boolean;
}

/**
 * Passes over exactly one record, or a range of offsets, and leaves a gap with its reason in the history. What lies ahead is
 * ordered: the planner ends a range there, also after a restart. Throws USAGE_INVALID for offsets that are committed already, that
 * hold no record, or that the log does not have.
 */
export async function skip(progress: Progress, options: SkipOptions): Promise<SkipPlan> {
  const { driver, store } = progress;
  requireControls(progress);
  if (driver === undefined) throw needsBrokers();
  const { of, reason, by } = options;
  const [position] = await readPositions(progress, [{ topic: of.topic, partitions: new Set([of.partition]) }]);
  if (position?.row === undefined || position.log === undefined) throw notThere(of);
  const range = await rangeToSkip(position, options, driver);
  const plan = {
    ...of,
    position: position.row.nextOffset,
    fromOffset: range.fromOffset,
    untilOffset: range.untilOffset,
  };
  const when = range.fromOffset === plan.position ? 'now' : 'ahead';
  const shown = { ...plan, records: range.records, when } as const;
  if (!options.execute) return { ...shown, executed: false };
  if (when === 'ahead') {
    const order = {
      ...of,
      order: 'skip',
      fromOffset: range.fromOffset,
      untilOffset: range.untilOffset,
      reason,
    } as const;
    await store.order([order], by);
  } else {
    await applyMoves(progress, (rows) => gapTo(of, rows, range, reason), options);
  }
  return { ...shown, executed: true };
}

interface RangeToSkip {
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  readonly records: number | undefined;
}

async function rangeToSkip(
  position: PartitionPosition,
  options: SkipOptions,
  driver: KafkaDriver,
): Promise<RangeToSkip> {
  const { row, log } = position;
  if (row === undefined || log === undefined) throw notThere(position);
  const { lastStableOffset, logStartOffset } = log.bounds;
  const fromOffset = options.fromOffset ?? row.nextOffset;
  if (fromOffset < row.nextOffset) {
    throw refused(position, `offset ${fromOffset} is committed already, the position is ${row.nextOffset}`);
  }
  const end = options.untilOffset ?? lastStableOffset;
  if (fromOffset < logStartOffset || fromOffset >= end || end > lastStableOffset) {
    throw refused(position, `the log has offsets ${logStartOffset} to ${lastStableOffset}, the end not included`);
  }
  const range = new OffsetRange(position.topic, position.partition, fromOffset, end);
  if (options.untilOffset !== undefined) {
    return { fromOffset, untilOffset: end, records: await countRecords(driver, log.topicId, range) };
  }
  let first: bigint | undefined;
  await visitRecords(driver, log.topicId, range, (cursor) => {
    first = cursor.offset;
    return false;
  });
  if (first === undefined) throw refused(position, `no record from offset ${fromOffset} to ${end}`);
  // The record the position stands before may come after a hole: the hole is passed with it.
  if (options.fromOffset !== undefined && first !== fromOffset) {
    throw refused(position, `offset ${fromOffset} holds no record, the next one is at ${first}`);
  }
  return { fromOffset, untilOffset: first + 1n, records: 1 };
}

/** Undefined where they cannot be read: a damaged batch may be why they are skipped. */
async function countRecords(driver: KafkaDriver, topicId: string, range: OffsetRange): Promise<number | undefined> {
  let records = 0;
  try {
    await visitRecords(driver, topicId, range, () => {
      records += 1;
      return true;
    });
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
  return records;
}

function gapTo(
  of: TopicPartition,
  rows: ReadonlyMap<string, StoredOffset>,
  range: RangeToSkip,
  reason: string,
): Planned {
  const row = rows.get(partitionKey(of));
  const seen = seenOf(row);
  if (row === undefined || seen === undefined) throw notThere(of);
  if (row.nextOffset !== range.fromOffset) {
    throw refused(
      of,
      `its position moved to ${row.nextOffset} meanwhile, offset ${range.fromOffset} is not the next one`,
    );
  }
  const shown = { ...of, before: row.nextOffset, after: range.untilOffset, rereadOffsets: 0n };
  return {
    moves: [
      {
        move: { ...of, kind: 'gap', toOffset: range.untilOffset, reason: `skip: ${reason}`, seen },
        shown: { ...shown, passedOffsets: range.untilOffset - range.fromOffset, owner: row.owner ?? undefined },
      },
    ],
    warnings: [],
  };
}

function notThere(of: TopicPartition): TidemarkError {
  return refused(of, 'it has no position, or the brokers do not have it');
}

function refused({ topic, partition }: TopicPartition, what: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `Nothing of ${partitionName({ topic, partition })} was skipped: ${what}`, {
    topic,
    partition,
    hint: 'tidemark offsets peek shows the records around the position.',
  });
}
