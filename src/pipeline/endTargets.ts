import { partitionKey } from '../model/index.ts';
import type { Scheduler, Slot } from '../scheduler/index.ts';
import type { Intake } from './intake.ts';
import type { Ownership } from './ownership.ts';
import type { SelectedPartition } from './selection.ts';

/** The last stable offsets seen at start: a run until the end is done when all of them are committed. */
export class EndTargets {
  readonly #targets: ReadonlyMap<string, bigint>;

  private constructor(targets: ReadonlyMap<string, bigint>) {
    this.#targets = targets;
  }

  static async of(selected: readonly SelectedPartition[], intake: Intake): Promise<EndTargets> {
    const bounds = await intake.bounds(selected);
    return new EndTargets(
      new Map(selected.map((partition, index) => [partitionKey(partition), bounds[index]?.lastStableOffset ?? 0n])),
    );
  }

  /** A parked or paused partition will not get further by itself: it does not keep the run from ending. */
  reached(
    selected: readonly SelectedPartition[],
    slotOf: (of: SelectedPartition) => Slot | undefined,
    committedElsewhere: (of: SelectedPartition) => bigint,
  ): boolean {
    return selected.every((partition) => {
      const target = this.#targets.get(partitionKey(partition)) ?? 0n;
      const slot = slotOf(partition);
      if (slot === undefined) return committedElsewhere(partition) >= target;
      return slot.state === 'parked' || slot.state === 'paused' || slot.position >= target;
    });
  }
}

/** Whether a run has nothing left to do: every partition is parked, here or elsewhere, or the end is reached. */
export function isDone(ownership: Ownership, scheduler: Scheduler, targets: EndTargets | undefined): boolean {
  const { selected } = ownership;
  const stateElsewhere = (of: SelectedPartition) =>
    ownership.ownerElsewhere(of) === undefined ? undefined : ownership.row(of)?.state;
  const isParked = (of: SelectedPartition) => (scheduler.slot(of)?.state ?? stateElsewhere(of)) === 'parked';
  if (selected.length > 0 && selected.every(isParked)) return true;
  const elsewhere = (of: SelectedPartition) => ownership.row(of)?.nextOffset ?? 0n;
  return targets?.reached(selected, (of) => scheduler.slot(of), elsewhere) ?? false;
}
