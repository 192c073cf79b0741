import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { partitionKey, partitionName } from '../model/index.ts';
import {
  type ClaimOutcome,
  decideClaim,
  type HeldClaim,
  type OffsetStore,
  type OwnerStatus,
  type StoredOffset,
} from '../offsets/index.ts';
import { failpoint, type ProcessIdentity, processLives } from '../platform/index.ts';
import {
  type ActionEnvironment,
  asTidemarkError,
  commitGap,
  type PositionVerdict,
  park,
  type Scheduler,
  Slot,
  tampered,
} from '../scheduler/index.ts';
import { insertFirstPositions } from './firstPositions.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import { byKey, type SelectedPartition, selectPartitions } from './selection.ts';

export interface OwnershipOptions {
  readonly source: PipelineSpec['source'];
  readonly pipeline: string;
  readonly identity: ProcessIdentity;
  readonly takeOver: boolean;
  /** false: a live owner elsewhere ends the pipeline instead of making it wait. */
  readonly standby: boolean;
}

/**
 * Which partitions this process holds. A sweep looks at the ledger, inserts rows of partitions nobody has seen, claims what may
 * be claimed (design §3.3), checks where each would go on (I7), and hands it to the scheduler.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #driver: KafkaDriver;
  readonly #store: OffsetStore;
  readonly #scheduler: Scheduler;
  readonly #actions: ActionEnvironment;
  #selected: readonly SelectedPartition[] = [];
  #rows: ReadonlyMap<string, StoredOffset> = new Map();
  /** Partitions of live owners elsewhere, by key, with whom. */
  readonly #standingBy = new Map<string, string>();
  /** Claimed, and not yet known to the scheduler. */
  #judging: readonly HeldClaim[] = [];
  #takeOver: boolean;

  constructor(
    options: OwnershipOptions,
    driver: KafkaDriver,
    store: OffsetStore,
    scheduler: Scheduler,
    actions: ActionEnvironment,
  ) {
    this.#options = options;
    this.#driver = driver;
    this.#store = store;
    this.#scheduler = scheduler;
    this.#actions = actions;
    this.#takeOver = options.takeOver;
  }

  /** Every partition of the pipeline, also those of other owners. */
  get selected(): readonly SelectedPartition[] {
    return this.#selected;
  }

  /** The ledger's row as of the last sweep. */
  row(of: SelectedPartition): StoredOffset | undefined {
    return this.#rows.get(partitionKey(of));
  }

  ownerElsewhere(of: SelectedPartition): string | undefined {
    return this.#standingBy.get(partitionKey(of));
  }

  /** Whether there is anything a sweep could claim. */
  get hasUnheld(): boolean {
    return this.#selected.some((partition) => this.#scheduler.slot(partition) === undefined);
  }

  /** Looks for new topics and partitions, inserting their rows. */
  async refresh(): Promise<void> {
    this.#selected = await selectPartitions(this.#options.source, this.#driver);
    await insertFirstPositions(this.#selected, this.#options, this.#driver, this.#store);
  }

  /** Gives up what is another's by now, claims whatever is unheld and may be claimed. */
  async sweep(): Promise<void> {
    const selected = byKey(this.#selected);
    const topics = [...new Set(this.#selected.map(({ topic }) => topic))];
    const holding = this.#scheduler.slots().map((slot) => ({ slot, held: slot.held }));
    const [rows, owners] = await Promise.all([this.#store.read(topics), this.#store.owners()]);
    this.#rows = new Map(rows.map((row) => [partitionKey(row), row]));
    for (const { slot, held } of holding) {
      const isLost = topics.includes(slot.topic) && this.#rows.get(slot.key)?.claim !== held.claim;
      // A range in flight finds out by itself, and may have claimed afresh since the rows were read.
      if (isLost && slot.held === held && slot.state !== 'busy') this.#scheduler.fence(slot, lost(slot));
    }
    const unheld = rows.filter((row) => selected.has(partitionKey(row)) && this.#scheduler.slot(row) === undefined);
    const claimable = unheld.filter((row) => this.#mayClaim(row, owners));
    this.#takeOver = false;
    if (claimable.length === 0) return;
    failpoint('store.beforeClaim');
    const outcomes = await this.#store.claim(
      claimable.map(({ topic, partition, claim }) => ({ topic, partition, seenClaim: claim })),
    );
    failpoint('store.afterClaim');
    await this.#takeIn(outcomes.filter((outcome) => outcome.claimed));
  }

  /** Gives everything back; at stop. */
  async release(): Promise<void> {
    const slots = this.#scheduler.slots();
    const held: HeldClaim[] = [...slots.map((slot) => slot.held), ...this.#judging];
    if (held.length === 0) return;
    failpoint('store.beforeRelease');
    const released = await this.#store.release(held);
    for (const [index, slot] of slots.entries()) {
      if (released[index] !== true) continue;
      const { topic, partition, position: nextOffset } = slot;
      this.#actions.events.emit('partitionReleased', { topic, partition, nextOffset });
    }
  }

  #mayClaim(row: StoredOffset, owners: readonly OwnerStatus[]): boolean {
    const { identity, standby } = this.#options;
    const decision = decideClaim(row, owners, identity, { takeOver: this.#takeOver, processLives });
    const key = partitionKey(row);
    if (decision === 'claim') {
      this.#standingBy.delete(key);
      return true;
    }
    const owner = row.owner ?? 'unknown';
    if (!standby) throw this.#ownedElsewhere(row, owner);
    if (this.#standingBy.get(key) !== owner) {
      this.#standingBy.set(key, owner);
      this.#actions.events.emit('partitionStandby', { topic: row.topic, partition: row.partition, owner });
    }
    return false;
  }

  async #takeIn(claimed: readonly Extract<ClaimOutcome, { claimed: true }>[]): Promise<void> {
    const rows = claimed.map(({ row }) => row);
    this.#judging = claimed.map(({ held }) => held);
    const verdicts = await this.#judge(rows);
    for (const [index, { held, row }] of claimed.entries()) {
      const slot = new Slot({
        held,
        position: row.nextOffset,
        topicId: row.topicId,
        leaderEpoch: row.leaderEpoch,
      });
      const { topic, partition, nextOffset } = row;
      this.#actions.events.emit('partitionClaimed', { topic, partition, nextOffset, ownerEpoch: held.ownerEpoch });
      await this.#admit(slot, verdicts[index] ?? { kind: 'good' });
    }
    this.#judging = [];
  }

  async #admit(slot: Slot, verdict: PositionVerdict): Promise<void> {
    try {
      if (verdict.kind === 'stop') throw verdict.error;
      if (verdict.kind === 'gap') await commitGap(slot, verdict.untilOffset, verdict.reason, this.#actions);
      const { topic, partition, topicId, leaderEpoch, position: nextOffset } = slot;
      this.#actions.source.open({ topic, partition, topicId, leaderEpoch, nextOffset });
    } catch (error) {
      this.#actions.signal.throwIfAborted();
      const fenced = await park(slot, asTidemarkError(error), this.#actions);
      if (fenced !== undefined) return;
    }
    this.#scheduler.add(slot);
  }

  /** The ledger's own consistency first, then the log's. */
  async #judge(rows: readonly StoredOffset[]): Promise<readonly PositionVerdict[]> {
    const [newest, verdicts] = await Promise.all([
      Promise.all(rows.map((row) => this.#store.newestRange(row))),
      this.#actions.source.verify(rows),
    ]);
    return rows.map((row, index) => {
      const historyEnd = newest[index]?.untilOffset;
      if (historyEnd !== undefined && historyEnd !== row.nextOffset) {
        return { kind: 'stop', error: tampered(row, row.nextOffset, historyEnd, historyEnd) };
      }
      return verdicts[index] ?? { kind: 'good' };
    });
  }

  #ownedElsewhere(row: StoredOffset, owner: string): TidemarkError {
    return new TidemarkError(
      'LEDGER_FENCED',
      `${partitionName(row)} of pipeline ${this.#options.pipeline} belongs to the live process ${owner}`,
      {
        topic: row.topic,
        partition: row.partition,
        hint: 'Stop the other process, take over with --take-over, or leave out --no-standby to wait.',
      },
    );
  }
}

/** Whoever is idle, paused or parked does not commit, and would never hear of it. */
function lost({ topic, partition }: Slot): TidemarkError {
  return new TidemarkError('LEDGER_FENCED', `${partitionName({ topic, partition })} carries another claim than ours`, {
    topic,
    partition,
  });
}
