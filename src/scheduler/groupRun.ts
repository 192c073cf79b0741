import type { TidemarkError } from '../errors.ts';
import { OffsetRange, partitionKey, type RecordPolicy } from '../model/index.ts';
import { backoffMs } from '../platform/index.ts';
import { decideAfterFailure, degradedService } from './failureDecision.ts';
import {
  type ActionEnvironment,
  asTidemarkError,
  commitGap,
  holdsClaim,
  type LedgerAnswer,
  park,
  settleDoubt,
  settleMoved,
  slotPosition,
} from './partitionActions.ts';
import { type AttemptEnvironment, attemptRanges, type RangeTask, type TaskResult } from './rangeAttempt.ts';
import { isAboutSize, placeRefusal, smaller } from './rangeSize.ts';
import type { Slot } from './slot.ts';

export interface GroupEnvironment extends ActionEnvironment, Omit<AttemptEnvironment, 'policy' | 'batchTimeMs'> {
  readonly policy: { readonly record: RecordPolicy; readonly attempts: number };
  /** The partition is another owner's: it leaves the scheduler. */
  readonly onFenced: (slot: Slot, error: TidemarkError) => void;
}

interface Task {
  readonly slot: Slot;
  range: OffsetRange;
  readonly refused: Map<bigint, TidemarkError>;
  /** Park with this error once the range is committed. */
  parkAfter: TidemarkError | undefined;
}

function attemptOf({ slot, range, refused }: Task): RangeTask {
  const { held } = slot;
  return { range, held, refused, onFirst: (timestampMs) => slot.readHead(range.fromOffset, timestampMs) };
}

const retryBaseMs = 100;
const retryCapMs = 10_000;

/**
 * Brings the ranges of one transaction to their end: committed, parked or fenced. Several slots only with one transaction per
 * batch; a slot that drops out makes the rest be done again without it. Answers the number of records committed.
 */
export class GroupRun {
  readonly #environment: GroupEnvironment;
  readonly #batchTimeMs: number;
  #tasks: Task[];
  #records = 0;
  /** At the ranges as they are now: smaller ones begin anew. */
  #attempt = 0;

  constructor(
    work: readonly { readonly slot: Slot; readonly range: OffsetRange }[],
    batchTimeMs: number,
    environment: GroupEnvironment,
  ) {
    this.#environment = environment;
    this.#batchTimeMs = batchTimeMs;
    this.#tasks = work.map(({ slot, range }) => ({ slot, range, refused: new Map(), parkAfter: undefined }));
  }

  /** Rejects only when aborted. */
  async run(): Promise<number> {
    const { signal, clock } = this.#environment;
    while (this.#leaveLost()) {
      this.#attempt += 1;
      const startedMs = clock.monotonic();
      let committing: readonly TaskResult[] = [];
      try {
        const results = await attemptRanges(
          this.#tasks.map(attemptOf),
          { ...this.#environment, policy: this.#environment.policy.record, batchTimeMs: this.#batchTimeMs },
          (filled) => {
            // The group gave the partition away while it was read: rolled back here, not fenced over there.
            for (const { slot } of this.#tasks) if (slot.lost !== undefined) throw slot.lost;
            committing = filled;
          },
        );
        const tasks = this.#tasks;
        for (const [index, task] of tasks.entries()) {
          const result = results[index];
          if (result !== undefined) await this.#finished(task, result, clock.monotonic() - startedMs);
        }
      } catch (error) {
        signal.throwIfAborted();
        const failure = asTidemarkError(error);
        if (failure.code === 'COMMIT_IN_DOUBT')
          await this.#settleDoubts(failure, committing, clock.monotonic() - startedMs);
        else await this.#failed(failure);
        this.#rewind();
      }
    }
    return this.#records;
  }

  /** The task's transaction is committed: say so, then deal with what ended it early. */
  async #finished(task: Task, result: TaskResult, durationMs: number): Promise<void> {
    this.#environment.degradation.end('sink');
    this.#drop(task);
    this.#announce(task, result, durationMs);
    const failure = result.stopped?.error ?? task.parkAfter;
    if (failure === undefined) return;
    if (failure.code === 'KAFKA_OFFSET_OUT_OF_RANGE') await this.#verify(task);
    else await this.#park(task, failure);
  }

  #announce(task: Task, result: TaskResult, durationMs: number): void {
    const { events, source } = this.#environment;
    const { slot } = task;
    if (result.leaderEpoch >= 0) slot.leaderEpoch = result.leaderEpoch;
    if (result.committed.isEmpty) return;
    slot.moveTo(result.committed.untilOffset);
    source.committed(slot, slot.position);
    this.#records += result.counts.records;
    for (const { offset, error } of result.skipped) {
      events.emit('recordSkipped', { topic: slot.topic, partition: slot.partition, offset, error });
    }
    const { committed: range, counts } = result;
    events.emit('rangeCommitted', { range, counts, batchTimeMs: this.#batchTimeMs, durationMs });
  }

  /** Every branch either takes a task off the list or leaves it to be done again from the start of its range. */
  async #failed(failure: TidemarkError): Promise<void> {
    const ranges = this.#tasks.map(({ range }) => range);
    const less = isAboutSize(failure) ? smaller(ranges) : undefined;
    if (less !== undefined) {
      await this.#again(failure);
      this.#shrink(less);
      return;
    }
    const error = placeRefusal(failure, ranges);
    const decision = decideAfterFailure(error, this.#attempt, this.#environment.policy);
    if (decision.kind === 'retry') {
      await this.#again(error);
      return;
    }
    for (const task of this.#blamed(error)) {
      switch (decision.kind) {
        case 'fenced':
          this.#leave(task, error);
          break;
        case 'moved':
          await this.#guarded(task, async () =>
            this.#follow(task, await settleMoved(task.slot, this.#environment), error),
          );
          break;
        case 'verify':
          await this.#verify(task);
          break;
        case 'skipRecord':
          await this.#guarded(task, () => this.#skip(task, decision.offset, error));
          break;
        case 'stopBefore':
          await this.#cutBefore(task, decision.offset, error);
          break;
        case 'park':
          await this.#park(task, error);
          break;
      }
    }
  }

  async #again(error: TidemarkError): Promise<void> {
    const { degradation, events, clock, signal } = this.#environment;
    const attempt = this.#attempt;
    const service = degradedService(error);
    if (service !== undefined) degradation.begin(service, error);
    const delayMs = backoffMs(attempt, retryBaseMs, retryCapMs);
    for (const { range } of this.#tasks) events.emit('rangeRetried', { range, attempt, delayMs, error });
    await clock.sleep(delayMs, signal);
  }

  /** Less in one transaction. The source of a task that is left out goes back to where its next range will start. */
  #shrink(ranges: readonly (OffsetRange | undefined)[]): void {
    this.#attempt = 0;
    for (const [index, task] of [...this.#tasks].entries()) {
      const range = ranges[index];
      if (range === undefined) {
        this.#drop(task);
        this.#environment.source.seek(task.slot, task.range.fromOffset);
      } else if (range.untilOffset < task.range.untilOffset) {
        task.range = range;
        // What was to end the partition lies behind the range now; the range that reaches it meets it again.
        task.parkAfter = undefined;
      }
    }
  }

  async #settleDoubts(error: TidemarkError, committing: readonly TaskResult[], durationMs: number): Promise<void> {
    for (const task of [...this.#tasks]) {
      const result = committing.find((candidate) => candidate.task.held === task.slot.held);
      if (result === undefined || result.committed.isEmpty) continue;
      await this.#guarded(task, async () => {
        const answer = await settleDoubt(task.slot, result.committed, this.#environment);
        if (answer.kind === 'at' && answer.committed) await this.#finished(task, result, durationMs);
        else await this.#follow(task, answer, error);
      });
    }
  }

  /** Does what the ledger says of a partition whose commit failed. */
  async #follow(task: Task, answer: LedgerAnswer, error: TidemarkError): Promise<void> {
    const { slot } = task;
    if (answer.kind === 'gone') {
      this.#leave(task, error);
    } else if (answer.kind === 'park') {
      await this.#park(task, answer.error);
    } else if (answer.nextOffset !== task.range.fromOffset) {
      // Back in time: the range as planned is over, the next plan goes on from the row.
      this.#drop(task);
      this.#environment.source.seek(slot, answer.nextOffset);
      slot.position = answer.nextOffset;
      slot.forgetPlans();
    }
  }

  async #verify(task: Task): Promise<void> {
    const { source, clock, signal } = this.#environment;
    const { slot } = task;
    this.#drop(task);
    await this.#guarded(task, async () => {
      // A broker that says both "out of range" and bounds that hold the offset is in between leaders: give it a moment.
      await clock.sleep(retryBaseMs, signal);
      const [verdict] = await source.verify([slotPosition(slot)]);
      if (verdict?.kind === 'stop') throw verdict.error;
      if (verdict?.kind === 'gap') await commitGap(slot, verdict.untilOffset, verdict.reason, this.#environment);
      source.close(slot);
      source.open(slotPosition(slot));
      slot.forgetPlans();
    });
  }

  /** What fails while a failure is being dealt with ends the partition here: fenced or parked. */
  async #guarded(task: Task, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      this.#environment.signal.throwIfAborted();
      const error = asTidemarkError(thrown);
      if (error.code === 'LEDGER_FENCED') {
        this.#leave(task, error);
        return;
      }
      await this.#park(task, error);
    }
  }

  /** A key that a successor wrote is refused like a bad record: ours to skip only as long as the partition is ours. */
  async #skip(task: Task, offset: bigint, error: TidemarkError): Promise<void> {
    if (await holdsClaim(task.slot, this.#environment)) task.refused.set(offset, error);
    else this.#leave(task, error);
  }

  async #park(task: Task, error: TidemarkError): Promise<void> {
    this.#drop(task);
    const fenced = await park(task.slot, error, this.#environment);
    if (fenced !== undefined) this.#environment.onFenced(task.slot, fenced);
  }

  /** What stands before a damaged or refused record is committed first; then the partition parks. */
  async #cutBefore(task: Task, offset: bigint, error: TidemarkError): Promise<void> {
    const { topic, partition, fromOffset } = task.range;
    if (offset <= fromOffset) {
      await this.#park(task, error);
      return;
    }
    task.range = new OffsetRange(topic, partition, fromOffset, offset);
    task.parkAfter = error;
  }

  #leave(task: Task, error: TidemarkError): void {
    this.#drop(task);
    this.#environment.onFenced(task.slot, error);
  }

  /** Drops what must not be committed any more. Answers whether anything is left to do. */
  #leaveLost(): boolean {
    for (const task of this.#tasks) if (task.slot.lost !== undefined) this.#leave(task, task.slot.lost);
    return this.#tasks.length > 0;
  }

  #drop(task: Task): void {
    this.#tasks = this.#tasks.filter((other) => other !== task);
  }

  #rewind(): void {
    for (const task of this.#tasks) this.#environment.source.seek(task.slot, task.range.fromOffset);
  }

  /** The tasks an error is about: the one it names, else all. */
  #blamed(error: TidemarkError): readonly Task[] {
    const { topic, partition } = error;
    if (topic === undefined || partition === undefined) return [...this.#tasks];
    const key = partitionKey({ topic, partition });
    const named = this.#tasks.filter((task) => task.slot.key === key);
    return named.length > 0 ? named : [...this.#tasks];
  }
}
