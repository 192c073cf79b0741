import { TidemarkError } from '../errors.ts';
import { type PartitionKey, partitionKey, partitionName } from '../model/index.ts';
import { decideClaim, type OwnerStatus, type StoredOffset } from '../offsets/index.ts';
import { type ProcessIdentity, processLives } from '../platform/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { Assignment } from './assignment.ts';

export interface AllAssignmentOptions {
  readonly pipeline: string;
  readonly identity: ProcessIdentity;
  /** Claim from live owners too, the first time. */
  readonly takeOver: boolean;
  /** false: a live owner elsewhere ends the pipeline instead of making it wait. */
  readonly standby: boolean;
}

/** Every partition is ours, unless another live process has it: then we stand by (docs/guarantees.md). */
export class AllAssignment implements Assignment {
  readonly retrying = undefined;
  readonly #options: AllAssignmentOptions;
  readonly #events: EventHub;
  /** Partitions of live owners elsewhere, with whom. */
  readonly #standingBy = new Map<PartitionKey, string>();
  #takeOver: boolean;

  constructor(options: AllAssignmentOptions, events: EventHub) {
    this.#options = options;
    this.#events = events;
    this.#takeOver = options.takeOver;
  }

  async claimable(
    unheld: readonly StoredOffset[],
    owners: () => Promise<readonly OwnerStatus[]>,
  ): Promise<readonly StoredOffset[]> {
    const living = unheld.length === 0 ? [] : await owners();
    const rows = unheld.filter((row) => this.#mayClaim(row, living));
    this.#takeOver = false;
    return rows;
  }

  async join(): Promise<void> {}

  async leave(): Promise<void> {}

  includes(): boolean {
    return true;
  }

  fenced(): void {}

  committed(): void {}

  #mayClaim(row: StoredOffset, owners: readonly OwnerStatus[]): boolean {
    const { identity, standby } = this.#options;
    const key = partitionKey(row);
    if (decideClaim(row, owners, identity, { takeOver: this.#takeOver, processLives }) === 'claim') {
      this.#standingBy.delete(key);
      return true;
    }
    const owner = row.owner ?? 'unknown';
    if (!standby) throw this.#ownedElsewhere(row, owner);
    if (this.#standingBy.get(key) !== owner) {
      this.#standingBy.set(key, owner);
      this.#events.emit('partitionStandby', { topic: row.topic, partition: row.partition, owner });
    }
    return false;
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
