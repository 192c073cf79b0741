import type { TidemarkError } from '../errors.ts';
import type { PartitionBounds, TopicPartition } from '../model/index.ts';
import type { PartitionState } from '../offsets/index.ts';
import type { Clock, DurableFiles, ProgressBeacon } from '../platform/index.ts';
import type { ReceiverStatus } from '../receiver/index.ts';
import type { BatchTransform, RecordTransform } from '../scheduler/index.ts';
import type { PipelineEventSource, PipelineState } from '../telemetry/index.ts';
import type { PipelineSpecInput } from './optionsSpec.ts';

export type Transform = RecordTransform | { readonly batch: BatchTransform };

/** The configuration file's shape with functions in place of paths. */
export type PipelineOptions = Omit<PipelineSpecInput, 'transform'> & { readonly transform?: Transform | undefined };

/** What the host of a pipeline may bring. */
export interface PipelineHost {
  /** Told which record user code works on, for a watchdog of a blocked event loop. */
  readonly beacon?: ProgressBeacon;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Where the write-ahead log of receiver mode is. Default: the file system. */
  readonly files?: DurableFiles;
}

/** How one run of a pipeline differs from running until stopped. */
export interface StartOptions {
  /** `end`: stop when the last stable offsets seen at start are committed. `batch`: stop after one batch. Default: run on. */
  readonly until?: 'stopped' | 'end' | 'batch';
  /** Claim partitions of a live owner at once instead of standing by. Default false. */
  readonly takeOver?: boolean;
  /** With false, finding a live owner, or being fenced, ends the pipeline with LEDGER_FENCED. Default true. */
  readonly standby?: boolean;
  /** With offsets in a consumer group: as `store.firstStart`, for this run. Default false. */
  readonly firstStart?: boolean;
}

/** A pipeline's one partition as it stands now. */
export interface PartitionStatus extends TopicPartition {
  /** `standby`: another process owns it. */
  readonly state: PartitionState | 'standby';
  /** Committed offset. */
  readonly nextOffset: bigint;
  /** Undefined until the broker answered once. */
  readonly bounds: PartitionBounds | undefined;
  /** Records (offsets) between committed and last stable offset; undefined without bounds. */
  readonly lag: bigint | undefined;
  /** Age of the first record that is not committed, in seconds; 0 without lag, undefined where its timestamp is not known here. */
  readonly lagSeconds: number | undefined;
  /** Why it is parked or paused. */
  readonly reason: string | undefined;
  readonly error: TidemarkError | undefined;
  /** Instance id of the owner where that is another process. */
  readonly owner: string | undefined;
}

export interface PipelineStatus {
  readonly pipeline: string;
  readonly state: PipelineState;
  /** `ready`: works, or is done; `standby`: every partition belongs to other live processes; `parked`: at least one partition waits for a person; `degraded`: something is being retried, or every receiver waits to be started again. */
  readonly ready: 'starting' | 'ready' | 'standby' | 'parked' | 'degraded' | 'stopped';
  readonly partitions: readonly PartitionStatus[];
  /** What is being retried now. */
  readonly degraded: readonly { readonly what: string; readonly error: TidemarkError }[];
  /** Receivers that number their records themselves. */
  readonly receivers: readonly ReceiverStatus[];
  /** What is durable in the log and not committed; undefined in direct mode, and before the log is open. */
  readonly waiting: { readonly blocks: number; readonly bytes: number } | undefined;
  /** Records per second this process may take in at present, by maxRate and back-pressure; 0 = unlimited; undefined like `waiting`. */
  readonly receiveRateMax: number | undefined;
  /** The record user code works on, with since when (monotonic ms); for watchdogs. */
  readonly instanceId: string;
}

/** How a run ended. */
export interface PipelineResult {
  readonly state: 'stopped';
  /** Partitions that were parked or paused by the end, with their causes. */
  readonly unfinished: readonly PartitionStatus[];
}

/**
 * A pipeline. Nothing connects before `start`. `finished` settles exactly once: it resolves after a stop (also with parked partitions:
 * see the result), and rejects with the worst cause when the pipeline ended by itself in failure.
 */
export interface Pipeline {
  readonly name: string;
  readonly events: PipelineEventSource;
  readonly state: PipelineState;
  /**
   * Connects, checks everything, claims partitions. Resolves when work has begun (or this process stands by).
   * Rejects, with everything closed again, when a check fails. A second call rejects with PIPELINE_STATE.
   */
  start(options?: StartOptions): Promise<void>;
  readonly finished: Promise<PipelineResult>;
  /**
   * Stops in order: taking in, draining what is in flight, committing, releasing claims, closing. Possible in every state,
   * repeatable. Past `deadlineMs` (default `stopTimeoutMs`) what is in flight is rolled back and the call rejects with
   * STOP_DEADLINE_MISSED after everything is closed: nothing is lost, the next start goes on from the ledger.
   */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>;
  status(): PipelineStatus;
}
