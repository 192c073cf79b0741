import type { TidemarkError } from '../errors.ts';
import type { Pipeline, PipelineStatus } from '../pipeline/index.ts';

/** What the daemon knows of one pipeline. */
export interface Watched {
  readonly pipeline: Pipeline;
  /** How its run ended, undefined while it goes on. */
  readonly ended: { readonly error: TidemarkError | undefined } | undefined;
}

/** The answer of /health/ready. */
export interface ReadinessReport {
  readonly ready: boolean;
  readonly pipelines: readonly PipelineReadiness[];
}

export interface PipelineReadiness {
  readonly pipeline: string;
  readonly ready: boolean;
  /** `starting`, `ready`, `standby`, `parked`, `degraded`, `stopping`, `done`, `failed`. */
  readonly state: string;
  readonly partitions: Readonly<Record<string, number>>;
  /** Partitions that wait for a person. */
  readonly parked: readonly StuckPartition[];
  readonly paused: readonly StuckPartition[];
  /** Receivers that wait to be started again. Others of the pipeline go on; when there are none, it is degraded. */
  readonly restarting: readonly RestartingReceiver[];
  /** What is being retried. */
  readonly degraded: readonly { readonly what: string; readonly code: string; readonly reason: string }[];
  /** Why it ended. */
  readonly error?: Readonly<Record<string, unknown>>;
}

export interface RestartingReceiver {
  readonly receiver: string;
  /** Starts after the first one, so far. */
  readonly restarts: number;
  /** Of the last error; absent where it asked to be started again without one. */
  readonly code?: string;
  readonly reason?: string;
}

export interface StuckPartition {
  readonly topic: string;
  readonly partition: number;
  /** The offset it stands at, as decimal text. */
  readonly offset: string;
  readonly reason: string;
  readonly code?: string;
}

/**
 * Ready is who does the work, or stands by to: a standby that were not ready would hold up every rolling update. Parked,
 * degraded, starting, stopping and failed pipelines are not.
 */
export function readinessOf(watched: readonly Watched[]): ReadinessReport {
  const pipelines = watched.map(pipelineReadiness);
  return { ready: pipelines.every(({ ready }) => ready), pipelines };
}

function pipelineReadiness({ pipeline, ended }: Watched): PipelineReadiness {
  const status = pipeline.status();
  const state = stateOf(status, ended);
  const stuck = (wanted: 'parked' | 'paused') => status.partitions.filter((partition) => partition.state === wanted);
  const counts: Record<string, number> = {};
  for (const partition of status.partitions) counts[partition.state] = (counts[partition.state] ?? 0) + 1;
  return {
    pipeline: pipeline.name,
    ready: state === 'ready' || state === 'standby' || state === 'done',
    state,
    partitions: counts,
    parked: stuck('parked').map(stuckPartition),
    paused: stuck('paused').map(stuckPartition),
    restarting: status.receivers.filter(({ state }) => state === 'restarting').map(restartingReceiver),
    degraded: status.degraded.map(({ what, error }) => ({ what, code: error.code, reason: error.message })),
    ...(ended?.error === undefined ? {} : { error: ended.error.toJSON() }),
  };
}

function stateOf(status: PipelineStatus, ended: Watched['ended']): string {
  if (ended !== undefined) return ended.error === undefined ? 'done' : 'failed';
  if (status.state === 'created') return 'starting';
  return status.state === 'running' ? status.ready : status.state;
}

function restartingReceiver({ name, restarts, lastError }: PipelineStatus['receivers'][number]): RestartingReceiver {
  const why = lastError === undefined ? {} : { code: lastError.code, reason: lastError.message };
  return { receiver: name, restarts, ...why };
}

function stuckPartition(partition: PipelineStatus['partitions'][number]): StuckPartition {
  const { topic, reason, error } = partition;
  return {
    topic,
    partition: partition.partition,
    offset: String(error?.offset ?? partition.nextOffset),
    reason: reason ?? 'unknown',
    ...(error === undefined ? {} : { code: error.code }),
  };
}
