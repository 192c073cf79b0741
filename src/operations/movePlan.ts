import { TidemarkError } from '../errors.ts';
import { isReceiverTopic, partitionKey, partitionName } from '../model/index.ts';
import type { PositionMove, SeenRow, StoredOffset } from '../offsets/index.ts';
import { type ApplyOptions, applyMoves } from './applyMoves.ts';
import type { Choice } from './choice.ts';
import type { Planned, PlannedMove } from './planned.ts';
import { type PartitionPosition, readPositions } from './positions.ts';
import type { Progress } from './progress.ts';
import { lookUp, type ResetTarget, type TargetFacts, targetOffset, targetText } from './targets.ts';

export interface MovePlan {
  readonly moves: readonly PlannedMove[];
  /** Targets outside of the log, partitions without a target. */
  readonly warnings: readonly string[];
  /** Whether the moves were made. */
  readonly executed: boolean;
}

export interface ResetOptions extends ApplyOptions {
  readonly choice: Choice;
  readonly target: ResetTarget;
  /** Leave out partitions that are known to have nothing to do. Default false. */
  readonly onlyLagging?: boolean | undefined;
  /** Why, for the history. */
  readonly reason?: string | undefined;
  /** False: only the plan. */
  readonly execute: boolean;
}

/**
 * Plans to move the chosen partitions, and with `execute` moves them. A row that changes between plan and move (a worker commits) is
 * planned again: the plan that is answered is the one that was made true. Adopts the topic ids the brokers have now and
 * forgets leader epochs: a reset is the way out of every stop for lost or changed data.
 */
export async function reset(progress: Progress, options: ResetOptions): Promise<MovePlan> {
  const { driver } = progress;
  if (driver === undefined) throw needsBrokers();
  const positions = (await readPositions(progress, options.choice)).filter(
    (position) => isMovable(position) && (options.onlyLagging !== true || position.lag !== 0n),
  );
  if (positions.length === 0) throw nothingToMove(progress.pipeline);
  const facts = await lookUp(options.target, positions, driver);
  const planWith = (rows: ReadonlyMap<string, StoredOffset>) => plan(positions, rows, facts, options);
  if (options.execute) {
    const planned = await applyMoves(progress, planWith, options);
    return { ...shown(planned), executed: true };
  }
  const rows = new Map(positions.flatMap((of) => (of.row === undefined ? [] : [[partitionKey(of), of.row] as const])));
  return { ...shown(planWith(rows)), executed: false };
}

function shown({ moves, warnings }: Planned) {
  return { moves: moves.map((one) => one.shown), warnings };
}

/** Decides from rows and what was looked up. Pure. */
export function plan(
  positions: readonly PartitionPosition[],
  rows: ReadonlyMap<string, StoredOffset>,
  facts: TargetFacts,
  { target, reason }: { readonly target: ResetTarget; readonly reason?: string | undefined },
): Planned {
  const warnings: string[] = [];
  const why = `reset ${targetText(target)}${reason === undefined ? '' : `: ${reason}`}`;
  const moves = positions.flatMap(({ topic, partition, log }) => {
    const of = { topic, partition };
    if (log === undefined) {
      warnings.push(`${partitionName(of)}: the brokers do not have it, it stays as it is`);
      return [];
    }
    const row = rows.get(partitionKey(of));
    const found = targetOffset(target, facts, of, row?.nextOffset, log.bounds);
    if (found === undefined) {
      warnings.push(`${partitionName(of)}: nothing says where to, it stays as it is`);
      return [];
    }
    if (found.warning !== undefined) warnings.push(found.warning);
    const isSameTopic = row?.topicId === log.topicId;
    const before = row?.nextOffset;
    const shift = before === undefined || !isSameTopic ? 0n : found.offset - before;
    const move: PositionMove = {
      ...{ ...of, kind: 'reset', toOffset: found.offset, topicId: log.topicId, seen: seenOf(row) },
      reason: before === undefined ? why : `${why}, from ${before}`,
    };
    const passedOffsets = shift > 0n ? shift : 0n;
    const rereadOffsets = shift < 0n ? -shift : 0n;
    return [
      {
        move,
        shown: { ...of, before, after: found.offset, rereadOffsets, passedOffsets, owner: row?.owner ?? undefined },
      },
    ];
  });
  return { moves, warnings };
}

export function seenOf(row: StoredOffset | undefined): SeenRow | undefined {
  if (row === undefined) return undefined;
  const { topic, partition, nextOffset, claim, ownerEpoch } = row;
  return { topic, partition, nextOffset, claim, ownerEpoch };
}

/** Numbers that a receiver gave out belong to its log: there is no going back to them by a row of the ledger. */
function isMovable({ topic }: PartitionPosition): boolean {
  return !isReceiverTopic(topic);
}

function nothingToMove(pipeline: string): TidemarkError {
  return new TidemarkError('USAGE_INVALID', `Pipeline ${pipeline} has no partition of Kafka that could be moved`, {
    hint: 'tidemark offsets list shows what the store has.',
  });
}

export function needsBrokers(): TidemarkError {
  return new TidemarkError('USAGE_INVALID', 'This needs the brokers, and none are given', {
    path: '--brokers',
    hint: 'Give the pipeline’s file, or --brokers host:port.',
  });
}
