import { type Control, concerns, type OffsetStore } from '../offsets/index.ts';
import type { Scheduler, Slot } from '../scheduler/index.ts';
import type { EventHub } from '../telemetry/index.ts';

/**
 * Applies what operators ordered to the partitions held here: `pause` keeps a partition from being planned (a range in
 * flight ends first), `skip` makes the planner end a range in front of the offsets and pass over them. The whole list is
 * read each time, so an order that is gone from the table ends.
 *
 * Only partitions that were held before the list was read are meant by it. Otherwise: the list is read, an order is given and takes
 * our claim, we claim again, read the order and obey it, and then the old list takes it back.
 */
export async function applyControls(store: OffsetStore, scheduler: Scheduler, events: EventHub): Promise<void> {
  const slots = scheduler.slots();
  const controls = await store.controls();
  for (const slot of slots) obey(slot, controls, events);
  scheduler.wake();
}

/** Makes one partition do what the orders say. */
export function obey(slot: Slot, controls: readonly Control[], events: EventHub): void {
  const orders = controls.filter((control) => concerns(control, slot));
  slot.skips = orders.flatMap(({ order, fromOffset, untilOffset, reason }) =>
    order === 'skip' && fromOffset !== null && untilOffset !== null ? [{ fromOffset, untilOffset, reason }] : [],
  );
  const pause = orders.find(({ order }) => order === 'pause');
  if (pause !== undefined) pauseSlot(slot, pause.reason, events);
  else if (slot.pauseReason !== undefined) resumeSlot(slot, events);
}

function pauseSlot(slot: Slot, reason: string, events: EventHub): void {
  if (slot.state === 'parked') return;
  const isNew = slot.pauseReason === undefined;
  slot.pauseReason = reason;
  if (slot.state === 'idle') slot.state = 'paused';
  if (isNew) events.emit('partitionPaused', { topic: slot.topic, partition: slot.partition, reason });
}

function resumeSlot(slot: Slot, events: EventHub): void {
  slot.pauseReason = undefined;
  if (slot.state === 'paused') slot.state = 'idle';
  events.emit('partitionResumed', { topic: slot.topic, partition: slot.partition });
}
