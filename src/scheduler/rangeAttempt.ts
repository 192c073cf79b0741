import { TidemarkError } from '../errors.ts';
import { noCounts, OffsetRange, type RangeCounts, type RecordPolicy } from '../model/index.ts';
import type { HeldClaim, RangeCommit } from '../offsets/index.ts';
import { failpoint, unlessAborted } from '../platform/index.ts';
import type { Sink, SinkTransaction } from '../sinks/index.ts';
import type { BatchSource } from './batchSource.ts';
import { type BadRecord, type Pumping, RecordPump, type Transform } from './recordPump.ts';
import type { TransformStage } from './transformStage.ts';

/** A range that is to be read, written and committed. */
export interface RangeTask {
  readonly range: OffsetRange;
  readonly held: HeldClaim;
  /** Records the sink refused in an earlier attempt, which policy passes over. */
  readonly refused: ReadonlyMap<bigint, TidemarkError>;
  /** Told of the timestamp of its first record, -1 where that has none. */
  readonly onFirst: (timestampMs: number) => void;
}

/** How far a task came within its transaction. */
export interface TaskResult {
  readonly task: RangeTask;
  /** What is committed; shorter than planned after a bad record, a failing source, or a stall. */
  readonly committed: OffsetRange;
  readonly counts: Readonly<RangeCounts>;
  readonly leaderEpoch: number;
  readonly skipped: readonly BadRecord[];
  /** Why it ended before the end of the range: at `offset`, by the record or by the source. */
  readonly stopped: BadRecord | undefined;
}

export interface AttemptEnvironment {
  readonly source: BatchSource;
  readonly sink: Sink;
  readonly stage: TransformStage;
  readonly transform: Transform;
  readonly policy: RecordPolicy;
  readonly batchTimeMs: number;
  /** Aborted when the pipeline is forced to stop: the transaction is rolled back. */
  readonly signal: AbortSignal;
}

/**
 * One attempt at some ranges in one transaction: read, transform, write, commit. Rejects with nothing committed, except
 * with COMMIT_IN_DOUBT: `onCommitting` has told by then what the commit holds.
 */
export async function attemptRanges(
  tasks: readonly RangeTask[],
  environment: AttemptEnvironment,
  onCommitting: (results: readonly TaskResult[]) => void,
): Promise<readonly TaskResult[]> {
  const transaction = new LazyTransaction(tasks, environment);
  const rollBack = () => void transaction.abort();
  environment.signal.addEventListener('abort', rollBack, { once: true });
  try {
    const results: TaskResult[] = [];
    for (const task of tasks) {
      results.push(await unlessAborted(fill(task, transaction, environment), environment.signal));
    }
    const commits = results.filter((result) => !result.committed.isEmpty).map(commitOf(environment.batchTimeMs));
    if (commits.length > 0) {
      const begun = await transaction.begun();
      failpoint('direct.afterRead');
      environment.signal.throwIfAborted();
      onCommitting(results);
      await begun.commitRanges(commits);
    } else {
      await transaction.abort();
    }
    return results;
  } catch (error) {
    // Forced to stop: closing the sink cuts what a server that went silent keeps waiting.
    environment.signal.throwIfAborted();
    await transaction.abort();
    environment.signal.throwIfAborted();
    throw error;
  } finally {
    environment.signal.removeEventListener('abort', rollBack);
  }
}

/** Begins when the first records are there: a transaction that waits for Kafka would hold a connection and locks. */
class LazyTransaction {
  readonly #tasks: readonly RangeTask[];
  readonly #sink: Sink;
  readonly #signal: AbortSignal;
  #begun: Promise<SinkTransaction> | undefined;

  constructor(tasks: readonly RangeTask[], environment: AttemptEnvironment) {
    this.#tasks = tasks;
    this.#sink = environment.sink;
    this.#signal = environment.signal;
  }

  async begun(): Promise<SinkTransaction> {
    this.#begun ??= this.#sink.begin(this.#tasks.map((task) => task.range));
    return unlessAborted(this.#begun, this.#signal);
  }

  async abort(): Promise<void> {
    const begun = this.#begun;
    if (begun === undefined) return;
    // A begin that failed has nothing to roll back, and its error is already on its way to the caller.
    const transaction = await begun.catch(() => undefined);
    await transaction?.abort();
  }
}

async function fill(
  task: RangeTask,
  transaction: LazyTransaction,
  environment: AttemptEnvironment,
): Promise<TaskResult> {
  const { range } = task;
  const counts = noCounts();
  const skipped: BadRecord[] = [];
  let until = range.fromOffset;
  let leaderEpoch = -1;
  let stopped: BadRecord | undefined;
  let pump: RecordPump | undefined;
  failpoint('direct.beforeRead');
  const chunks = environment.source.read(range, environment.signal)[Symbol.asyncIterator]();
  try {
    while (stopped === undefined) {
      const next = await chunks.next().catch((error: unknown) => sourceFailure(error, until, environment.signal));
      if ('error' in next) {
        stopped = next;
        break;
      }
      if (next.done) break;
      if (pump === undefined) {
        const into: Pumping = {
          ...environment,
          transaction: await transaction.begun(),
          counts,
          refused: task.refused,
          onFirst: task.onFirst,
          skipped,
        };
        pump = new RecordPump(environment.stage, environment.transform, into);
      }
      stopped = await pump.chunk(next.value);
      until = stopped === undefined ? next.value.nextOffset : stopped.offset;
      if (next.value.leaderEpoch >= 0) leaderEpoch = next.value.leaderEpoch;
    }
    const badInBatch = await pump?.end();
    if (badInBatch !== undefined) {
      stopped = badInBatch;
      until = badInBatch.offset;
    }
  } finally {
    await chunks.return?.();
  }
  const committed = new OffsetRange(range.topic, range.partition, range.fromOffset, until);
  return { task, committed, counts, leaderEpoch, skipped, stopped };
}

/** A source that cannot go on ends the range where it stands: what was read before is good and is committed first. */
function sourceFailure(error: unknown, until: bigint, signal: AbortSignal): BadRecord {
  signal.throwIfAborted();
  if (!(error instanceof TidemarkError)) throw error;
  return { offset: until, error };
}

function commitOf(batchTimeMs: number) {
  return (result: TaskResult): RangeCommit => ({
    range: result.committed,
    held: result.task.held,
    counts: result.counts,
    leaderEpoch: result.leaderEpoch,
    batchTimeMs,
    kind: 'batch',
    reason: null,
  });
}
