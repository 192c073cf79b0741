import type { TidemarkError } from '../errors.ts';
import { type PartitionKey, partitionKey, type TopicPartition } from '../model/index.ts';
import { nextTickMs } from './batchClock.ts';
import { byPartition, joined, type QueuedBatch, type Work } from './batchWork.ts';
import { type GroupEnvironment, GroupRun } from './groupRun.ts';
import { asTidemarkError } from './partitionActions.ts';
import type { RateController } from './rateController.ts';
import { Signal } from './signal.ts';
import { meetsSkip, skipAhead } from './skipAhead.ts';
import type { Slot } from './slot.ts';

export interface SchedulerOptions {
  /** 0 = continuous. */
  readonly intervalMs: number;
  readonly maxQueuedBatches: number;
  readonly transaction: 'partition' | 'batch';
}

/**
 * Turns partitions into batches and batches into committed ranges.
 *
 * One loop decides; everything else (source, timers, ends of runs) only raises its signal. Per partition at most one
 * range is in flight, and ranges run in offset order (I4). Continuous: a partition that is idle and has data is planned,
 * whatever the others do. With an interval: a tick plans all partitions, batches run one after another, at most
 * `maxQueuedBatches` wait and further ticks merge into the next one.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #environment: GroupEnvironment;
  readonly #rate: RateController;
  readonly #onFenced: GroupEnvironment['onFenced'];
  readonly #signal: Signal;
  readonly #slots = new Map<PartitionKey, Slot>();
  readonly #queue: QueuedBatch[] = [];
  readonly #running = new Set<Promise<void>>();
  #nextTickMs = 0;
  #finishing = false;
  #stopping = false;
  #failure: unknown;

  constructor(options: SchedulerOptions, rate: RateController, environment: GroupEnvironment) {
    this.#options = options;
    this.#rate = rate;
    this.#signal = new Signal(environment.clock);
    this.#onFenced = environment.onFenced;
    this.#environment = { ...environment, onFenced: (slot, error) => this.fence(slot, error) };
  }

  /** Raise when anything changed that a plan depends on. */
  readonly wake = (): void => this.#signal.raise();

  slots(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  slot(of: TopicPartition): Slot | undefined {
    return this.#slots.get(partitionKey(of));
  }

  /** Takes a partition in; its source is open. */
  add(slot: Slot): void {
    this.#slots.set(slot.key, slot);
    this.wake();
  }

  /** The partition is another owner's: it leaves. While a range of it is in flight, only the run of that range may say so. */
  fence(slot: Slot, error: TidemarkError): void {
    this.#environment.source.close(slot, true);
    this.#slots.delete(slot.key);
    this.#onFenced(slot, error);
  }

  /**
   * Takes a partition out that is to be given up: nothing of it is planned any more; resolves when what was in flight is
   * committed or rolled back. It has left then, unless it was fenced meanwhile. The others go on.
   */
  async drain(slot: Slot): Promise<'left' | 'fenced'> {
    slot.isLeaving = true;
    await slot.whenEnded();
    if (this.#slots.get(slot.key) !== slot) return 'fenced';
    this.#environment.source.close(slot);
    this.#slots.delete(slot.key);
    return 'left';
  }

  /** Nothing of the partition may be committed any more: an idle one leaves at once, a run rolls back. */
  lose(slot: Slot, error: TidemarkError): void {
    slot.lost = error;
    if (slot.state !== 'busy') this.fence(slot, error);
  }

  /** Runs until `stop`. Rejects when a run fails in a way that no partition can be blamed for. */
  async run(): Promise<void> {
    const { clock } = this.#environment;
    this.#nextTickMs = this.#options.intervalMs > 0 ? nextTickMs(clock.now(), this.#options.intervalMs) : 0;
    while (!this.#stopping && this.#failure === undefined) {
      await this.#skipAhead();
      const lookAgainMs = this.#options.intervalMs > 0 ? await this.#tick() : this.#planReady();
      if (this.#stopping || this.#failure !== undefined || this.#isFinished()) break;
      await this.#signal.wait(lookAgainMs);
    }
    await this.#drained();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** One batch over all partitions, to its end. */
  async runOnce(): Promise<void> {
    await this.#skipAhead();
    await this.#planTick(this.#environment.clock.now());
    this.#startQueued();
    await this.#drained();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Nothing is taken in any more: what was is brought to its end, as far as partitions can go on; `run` resolves then. */
  finish(): void {
    this.#finishing = true;
    this.wake();
  }

  /** No further plans; what is in flight goes on to its end. `run` resolves when it is done. */
  stop(): void {
    this.#stopping = true;
    this.#queue.length = 0;
    this.wake();
  }

  async #drained(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Everything that was planned has ended. */
  get #isQuiet(): boolean {
    return this.#running.size === 0 && this.#queue.length === 0;
  }

  /** Parked and paused partitions do not keep it from ending. */
  #isFinished(): boolean {
    return this.#finishing && this.#isQuiet && !this.#hasTakenIn();
  }

  #hasTakenIn(): boolean {
    return this.#environment.source.hasTakenIn(this.#idle().map((slot) => slot.plannable()));
  }

  async #skipAhead(): Promise<void> {
    for (const slot of this.#idle()) {
      const fenced = await skipAhead(slot, this.#environment);
      if (fenced !== undefined) this.fence(slot, fenced);
    }
  }

  #idle(): Slot[] {
    return this.slots().filter((slot) => slot.state === 'idle' && !slot.isLeaving);
  }

  /** Continuous mode. Answers after how many ms to look again. */
  #planReady(): number | undefined {
    // One transaction per batch means one batch at a time: what comes meanwhile belongs to the next one.
    if (this.#options.transaction === 'batch' && this.#running.size > 0) return undefined;
    const plan = this.#environment.source.planReady(
      this.#idle().map((slot) => slot.plannable()),
      this.#rate.current(),
    );
    if (plan.ranges.length > 0) {
      const nowMs = this.#environment.clock.now();
      this.#start({ timeMs: plan.batchTimeMs ?? nowMs, plannedAtMs: nowMs, ranges: plan.ranges });
    }
    return plan.lookAgainMs;
  }

  /** Interval mode: plans when a tick is due, starts the next batch when none runs. */
  async #tick(): Promise<number> {
    const { clock } = this.#environment;
    const { intervalMs, maxQueuedBatches } = this.#options;
    const nowMs = clock.now();
    // The clock was set back: the tick it had in view would be as much later as that.
    if (this.#nextTickMs - nowMs > intervalMs) this.#nextTickMs = nextTickMs(nowMs, intervalMs);
    // Only for something: a batch of nothing ends at once, and the next look would find another one due, for ever.
    const isLastBatchDue = this.#finishing && this.#isQuiet && this.#hasTakenIn();
    if (nowMs >= this.#nextTickMs || isLastBatchDue) {
      // A tick that comes late stands for all that passed meanwhile: they merge.
      const tickMs = isLastBatchDue ? nowMs : nextTickMs(nowMs, intervalMs) - intervalMs;
      this.#nextTickMs = nextTickMs(nowMs, intervalMs);
      if (this.#queue.length < maxQueuedBatches) await this.#planTick(tickMs);
    }
    this.#startQueued();
    return this.#nextTickMs - clock.now();
  }

  async #planTick(tickMs: number): Promise<void> {
    const { source, clock, degradation, signal } = this.#environment;
    const slots = this.slots().filter((slot) => (slot.state === 'idle' || slot.state === 'busy') && !slot.isLeaving);
    try {
      const { ranges, batchTimeMs = tickMs } = await source.planTick(
        slots.map((slot) => slot.plannable()),
        this.#rate.current(),
        tickMs,
      );
      degradation.end('kafka');
      for (const range of ranges) {
        const slot = this.slot(range);
        if (slot !== undefined) slot.plannedUntil = range.untilOffset;
      }
      this.#queue.push({ timeMs: batchTimeMs, plannedAtMs: clock.now(), ranges });
    } catch (error) {
      signal.throwIfAborted();
      const failure = asTidemarkError(error);
      if (!failure.retriable) throw failure;
      // No bounds, no plan: this tick merges into the next.
      degradation.begin(failure.code.startsWith('WAL_') ? 'log' : 'kafka', failure);
    }
  }

  #startQueued(): void {
    if (this.#running.size > 0) return;
    const batch = this.#queue.shift();
    if (batch !== undefined) this.#start(batch);
  }

  #start(batch: QueuedBatch): void {
    const work: Work[] = [];
    for (const [key, ranges] of byPartition(batch.ranges)) {
      const slot = this.#slots.get(key);
      // Fenced, parked, leaving, or cut short since it was planned, or an order to skip came: what is left of it is planned again.
      const isReady = slot?.state === 'idle' && !slot.isLeaving && slot.position === ranges[0]?.fromOffset;
      if (slot === undefined || !isReady || meetsSkip(slot, ranges)) {
        slot?.forgetPlans();
        continue;
      }
      slot.state = 'busy';
      for (const { untilOffset } of ranges) if (slot.plannedUntil < untilOffset) slot.plannedUntil = untilOffset;
      work.push({ slot, ranges });
    }
    if (work.length === 0 && this.#options.intervalMs === 0) return;
    const planned = work.flatMap(({ ranges }) => ranges);
    this.#environment.events.emit('batchPlanned', { batchTimeMs: batch.timeMs, ranges: planned });
    const running = this.#runBatch(batch, work)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#running.delete(running);
        this.wake();
      });
    this.#running.add(running);
  }

  async #runBatch(batch: QueuedBatch, work: readonly Work[]): Promise<void> {
    const { clock, events } = this.#environment;
    const startedMs = clock.now();
    const counts =
      this.#options.transaction === 'batch'
        ? [await this.#runTogether(work, batch.timeMs)]
        : await Promise.all(work.map((one) => this.#runInTurn(one, batch.timeMs)));
    const endedMs = clock.now();
    const records = counts.reduce((sum, count) => sum + count, 0);
    const delays = { schedulingDelayMs: startedMs - batch.plannedAtMs, processingDelayMs: endedMs - startedMs };
    const completed = { batchTimeMs: batch.timeMs, records, ...delays };
    this.#rate.completed({ ...completed, timeMs: endedMs });
    events.emit('batchCompleted', completed);
  }

  /** One transaction for all of a batch: the ranges of a partition are one range in it. */
  async #runTogether(work: readonly Work[], batchTimeMs: number): Promise<number> {
    if (work.length === 0) return 0;
    const group = work.map(({ slot, ranges }) => ({ slot, range: joined(ranges) }));
    try {
      return await new GroupRun(group, batchTimeMs, this.#environment).run();
    } finally {
      for (const { slot } of work) this.#endRun(slot);
      this.wake();
    }
  }

  /** One transaction for each range of a partition, in offset order (I4); what is left of a batch after a stop is planned again. */
  async #runInTurn({ slot, ranges }: Work, batchTimeMs: number): Promise<number> {
    let records = 0;
    try {
      for (const range of ranges) {
        // Fenced, parked or cut short by the range before; leaving or paused ones end between two ranges.
        const goesOn = slot.state === 'busy' && !slot.isLeaving && slot.pauseReason === undefined && !this.#stopping;
        const isHeld = this.#slots.get(slot.key) === slot;
        if (range !== ranges[0] && !(goesOn && isHeld && slot.position === range.fromOffset)) break;
        records += await new GroupRun([{ slot, range }], batchTimeMs, this.#environment).run();
      }
      return records;
    } finally {
      this.#endRun(slot);
      this.wake();
    }
  }

  #endRun(slot: Slot): void {
    slot.endRun();
    if (slot.plannedUntil > slot.position && this.#queue.length === 0) slot.forgetPlans();
  }
}
