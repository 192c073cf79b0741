import { TidemarkError } from '../errors.ts';
import { partitionKey, partitionName, type TopicPartition } from '../model/index.ts';
import type { HeldClaim, OffsetStore, StoredOffset } from '../offsets/index.ts';
import { failpoint } from '../platform/index.ts';
import type { ActionEnvironment, Scheduler, Slot } from '../scheduler/index.ts';
import { admit, type Claimed, judge } from './admission.ts';
import type { Assignment } from './assignment.ts';
import { obey } from './controls.ts';
import type { Intake } from './intake.ts';
import { byKey, type SelectedPartition } from './selection.ts';

/**
 * Which partitions this process holds. A sweep looks at the ledger, claims what the assignment lets it claim (design §3.3),
 * checks where each partition would go on (I7), and hands it to the scheduler.
 */
export class Ownership {
  readonly #instanceId: string;
  readonly #intake: Intake;
  readonly #store: OffsetStore;
  readonly #scheduler: Scheduler;
  readonly #assignment: Assignment;
  readonly #actions: ActionEnvironment;
  #selected: readonly SelectedPartition[] = [];
  #rows: ReadonlyMap<string, StoredOffset> = new Map();
  /** Claimed, and not yet known to the scheduler. */
  #judging: readonly HeldClaim[] = [];
  #sweeping: Promise<void> = Promise.resolve();

  constructor(
    instanceId: string,
    intake: Intake,
    scheduler: Scheduler,
    assignment: Assignment,
    actions: ActionEnvironment,
  ) {
    this.#instanceId = instanceId;
    this.#intake = intake;
    this.#store = actions.store;
    this.#scheduler = scheduler;
    this.#assignment = assignment;
    this.#actions = actions;
  }

  /** Every partition of the pipeline, also those of other owners. */
  get selected(): readonly SelectedPartition[] {
    return this.#selected;
  }

  /** The ledger's row as of the last sweep. */
  row(of: TopicPartition): StoredOffset | undefined {
    return this.#rows.get(partitionKey(of));
  }

  /** Instance id of the owner as of the last sweep, where that is another process. */
  ownerElsewhere(of: TopicPartition): string | undefined {
    const owner = this.row(of)?.owner ?? undefined;
    return owner === this.#instanceId ? undefined : owner;
  }

  /** Whether there is anything a sweep could claim. */
  get hasUnheld(): boolean {
    return this.#selected.some(
      (partition) => this.#assignment.includes(partition) && this.#scheduler.slot(partition) === undefined,
    );
  }

  /** Looks for new topics and partitions, inserting their rows. */
  async refresh(): Promise<void> {
    this.#selected = await this.#intake.select();
    await this.#intake.insertFirstPositions(this.#selected, this.#store);
  }

  /** Gives up what is another's by now, claims whatever is unheld and may be claimed. Sweeps run one after another. */
  sweep(): Promise<void> {
    this.#sweeping = this.#sweeping.catch(() => {}).then(() => this.#sweep());
    return this.#sweeping;
  }

  /** Claims what the group has just given us, at once. A failure is met again, and told, at the next look around. */
  async takeUp(partitions: readonly TopicPartition[]): Promise<void> {
    try {
      const selected = byKey(this.#selected);
      // Partitions that appeared since the last look have no row yet.
      if (partitions.some((partition) => !selected.has(partitionKey(partition)))) await this.refresh();
      await this.sweep();
    } catch {
      return;
    }
  }

  /** Ends the work on partitions that move to another process, and gives their rows back. */
  async giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    const slots = partitions.flatMap((partition) => this.#scheduler.slot(partition) ?? []);
    await Promise.all(
      slots.map(async (slot) => {
        if ((await this.#scheduler.drain(slot)) === 'left') await this.#release([slot]);
      }),
    );
  }

  /** Ends the work on partitions that are another's by now, without a commit. */
  lose(partitions: readonly TopicPartition[], cause: TidemarkError): void {
    for (const { topic, partition } of partitions) {
      const slot = this.#scheduler.slot({ topic, partition });
      if (slot === undefined) continue;
      const message = `${partitionName(slot)} is given up: ${cause.message}`;
      this.#scheduler.lose(slot, new TidemarkError(cause.code, message, { topic, partition, cause }));
    }
  }

  /** Gives everything back; at stop. */
  async release(): Promise<void> {
    const slots = this.#scheduler.slots();
    if (slots.length > 0 || this.#judging.length > 0) await this.#release(slots, this.#judging);
  }

  async #sweep(): Promise<void> {
    this.#actions.signal.throwIfAborted();
    const selected = byKey(this.#selected);
    const topics = [...new Set(this.#selected.map(({ topic }) => topic))];
    const holding = this.#scheduler.slots().map((slot) => ({ slot, held: slot.held }));
    const rows = await this.#store.read(topics);
    this.#rows = new Map(rows.map((row) => [partitionKey(row), row]));
    for (const { slot, held } of holding) {
      const row = this.row(slot);
      const isTaken = topics.includes(slot.topic) && row?.claim !== held.claim;
      // A range in flight finds out by itself, and may have claimed afresh since the rows were read.
      if (isTaken && slot.held === held && slot.state !== 'busy') this.#scheduler.fence(slot, taken(slot, row));
    }
    const unheld = rows.filter((row) => selected.has(partitionKey(row)) && this.#scheduler.slot(row) === undefined);
    const claimable = await this.#assignment.claimable(unheld, () => this.#store.owners());
    if (claimable.length === 0) return;
    failpoint('store.beforeClaim');
    const outcomes = await this.#store.claim(
      claimable.map(({ topic, partition, claim }) => ({ topic, partition, seenClaim: claim })),
    );
    failpoint('store.afterClaim');
    const claimed = outcomes.flatMap((outcome, index) =>
      outcome.claimed ? [{ ...outcome, claimBefore: claimable[index]?.claim ?? null }] : [],
    );
    await this.#takeIn(claimed);
  }

  async #takeIn(claimed: readonly Claimed[]): Promise<void> {
    this.#judging = claimed.map(({ held }) => held);
    const verdicts = await judge(claimed, this.#store, this.#actions);
    // After the claim, before any plan: an order that is not in this list takes the claim away (`OperatorCalls.order`).
    const controls = await this.#store.controls();
    for (const [index, one] of claimed.entries()) {
      const { held, row } = one;
      this.#actions.events.emit('partitionClaimed', {
        topic: row.topic,
        partition: row.partition,
        nextOffset: row.nextOffset,
        ownerEpoch: held.ownerEpoch,
        previousOwner: this.ownerElsewhere(row),
      });
      const slot = await admit(one, verdicts[index] ?? { kind: 'good' }, this.#actions);
      if (slot === undefined) continue;
      obey(slot, controls, this.#actions.events);
      // The group took the partition back while it was being claimed: nobody begins to work on it here any more.
      if (this.#assignment.includes(slot)) this.#scheduler.add(slot);
      else await this.#dismiss(slot);
    }
    this.#judging = [];
  }

  async #dismiss(slot: Slot): Promise<void> {
    this.#actions.source.close(slot);
    await this.#release([slot]);
  }

  async #release(slots: readonly Slot[], judging: readonly HeldClaim[] = []): Promise<void> {
    failpoint('store.beforeRelease');
    const released = await this.#store.release([...slots.map((slot) => slot.held), ...judging]);
    for (const [index, slot] of slots.entries()) {
      if (released[index] !== true) continue;
      const { topic, partition, position: nextOffset } = slot;
      this.#actions.events.emit('partitionReleased', { topic, partition, nextOffset });
    }
  }
}

/** Whoever is idle, paused or parked does not commit, and would never hear of it. */
function taken({ topic, partition }: Slot, row: StoredOffset | undefined): TidemarkError {
  const owner = row?.owner ?? 'nobody';
  return new TidemarkError(
    'LEDGER_FENCED',
    `${partitionName({ topic, partition })} carries another claim than ours: owner ${owner}, owner epoch ${row?.ownerEpoch ?? 'unknown'}`,
    { topic, partition },
  );
}
