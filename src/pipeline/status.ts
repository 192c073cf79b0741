import { lagOf } from '../offsets/index.ts';
import type { ReceiverStatus } from '../receiver/index.ts';
import type { PipelineState } from '../telemetry/index.ts';
import type { PartitionStatus, PipelineStatus } from './publicTypes.ts';
import type { Runtime } from './runtime.ts';
import type { SelectedPartition } from './selection.ts';

/** Every selected partition as it stands, without asking anyone. */
export function partitionStatuses(runtime: Runtime | undefined): readonly PartitionStatus[] {
  const selected = runtime?.ownership?.selected ?? [];
  return selected.flatMap((partition) => {
    const status = runtime === undefined ? undefined : statusOf(partition, runtime);
    return status === undefined ? [] : [status];
  });
}

function statusOf(of: SelectedPartition, runtime: Runtime): PartitionStatus | undefined {
  const { topic, partition } = of;
  const slot = runtime.scheduler?.slot(of);
  if (slot === undefined) {
    const row = runtime.ownership?.row(of);
    if (row === undefined) return undefined;
    return {
      topic,
      partition,
      state: 'standby',
      nextOffset: row.nextOffset,
      bounds: undefined,
      lag: undefined,
      reason: undefined,
      error: undefined,
      owner: runtime.ownership?.ownerElsewhere(of),
    };
  }
  const bounds = runtime.intake?.source.bounds(slot);
  return {
    topic,
    partition,
    state: slot.state === 'parked' || slot.state === 'paused' ? slot.state : 'running',
    nextOffset: slot.position,
    bounds,
    lag: bounds === undefined ? undefined : lagOf(slot.position, bounds),
    reason: slot.error?.message ?? slot.pauseReason,
    error: slot.error,
    owner: undefined,
  };
}

/** One receiver that is down must not take the process from those who send to another. */
export function noneReceives(receivers: readonly ReceiverStatus[]): boolean {
  return receivers.length > 0 && receivers.every(({ state }) => state === 'restarting');
}

/** The mirror is for other tools: that it does not work keeps nothing from being done. */
export function hindersWork({ what }: PipelineStatus['degraded'][number]): boolean {
  return what !== 'mirror';
}

export function readiness(
  state: PipelineState,
  partitions: readonly PartitionStatus[],
  degraded: boolean,
): PipelineStatus['ready'] {
  if (state === 'stopped') return 'stopped';
  if (state === 'created' || state === 'starting') return 'starting';
  if (partitions.some((partition) => partition.state === 'parked')) return 'parked';
  if (degraded) return 'degraded';
  if (partitions.length > 0 && partitions.every((partition) => partition.state === 'standby')) return 'standby';
  return 'ready';
}
