import { lagOf } from '../offsets/index.ts';
import type { ReceiverStatus } from '../receiver/index.ts';
import type { BatchSource, Slot } from '../scheduler/index.ts';
import type { PipelineState } from '../telemetry/index.ts';
import type { PartitionStatus, PipelineStatus } from './publicTypes.ts';
import type { Runtime } from './runtime.ts';
import type { SelectedPartition } from './selection.ts';

/** Every selected partition as it stands, without asking anyone. */
export function partitionStatuses(runtime: Runtime | undefined, nowMs: number): readonly PartitionStatus[] {
  const selected = runtime?.ownership?.selected ?? [];
  return selected.flatMap((partition) => {
    const status = runtime === undefined ? undefined : statusOf(partition, runtime, nowMs);
    return status === undefined ? [] : [status];
  });
}

function statusOf(of: SelectedPartition, runtime: Runtime, nowMs: number): PartitionStatus | undefined {
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
      lagSeconds: undefined,
      reason: undefined,
      error: undefined,
      owner: runtime.ownership?.ownerElsewhere(of),
    };
  }
  const source = runtime.intake?.source;
  const bounds = source?.bounds(slot);
  const lag = bounds === undefined ? undefined : lagOf(slot.position, bounds);
  return {
    topic,
    partition,
    state: slot.state === 'parked' || slot.state === 'paused' ? slot.state : 'running',
    nextOffset: slot.position,
    bounds,
    lag,
    lagSeconds: lag === undefined ? undefined : secondsBehind(lag, slot, source, nowMs),
    reason: slot.error?.message ?? slot.pauseReason,
    error: slot.error,
    owner: undefined,
  };
}

/** What is in flight was looked at when it was read; what waits for its turn is looked at where it waits. */
function secondsBehind(lag: bigint, slot: Slot, source: BatchSource | undefined, nowMs: number): number | undefined {
  if (lag === 0n) return 0;
  const timestampMs = slot.headTimestampMs ?? source?.nextTimestampMs(slot, slot.position);
  return timestampMs === undefined || timestampMs < 0 ? undefined : Math.max(0, nowMs - timestampMs) / 1000;
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
