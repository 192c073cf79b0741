import { DirectSource } from '../direct/index.ts';
import { TidemarkError } from '../errors.ts';
import type { KafkaDriver } from '../kafka/index.ts';
import { type DeliveryGuarantee, deliveryGuarantees } from '../model/index.ts';
import type { Clock, ProcessIdentity, ProgressBeacon } from '../platform/index.ts';
import {
  type ActionEnvironment,
  type BatchTransform,
  RateController,
  type RecordTransform,
  Scheduler,
  TransformStage,
} from '../scheduler/index.ts';
import type { Sink, SinkContext, SinkDefinition } from '../sinks/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import { AllAssignment } from './allAssignment.ts';
import type { Assignment } from './assignment.ts';
import { type AssignmentHandler, GroupAssignment } from './groupAssignment.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type { StartOptions } from './publicTypes.ts';

/** The sink of the options. Reached by dynamic import: a sink that is not chosen loads nothing. */
export async function createSink(options: PipelineSpec['sink'], context: SinkContext): Promise<Sink> {
  if (isDefinition(options)) return options.createSink(context);
  const { createPostgresSink } = await import('../sinks/postgres/index.ts');
  return createPostgresSink(options, context);
}

function isDefinition(options: PipelineSpec['sink']): options is SinkDefinition {
  return 'createSink' in options;
}

/** Who decides which partitions this process works on. */
export function createAssignment(
  spec: PipelineSpec,
  { takeOver = false, standby = true }: StartOptions,
  identity: ProcessIdentity,
  driver: KafkaDriver,
  clock: Clock,
  events: EventHub,
  handler: AssignmentHandler,
): Assignment {
  if (spec.source.assignment === 'group') return new GroupAssignment(driver, spec, handler, clock, events);
  return new AllAssignment({ pipeline: spec.pipeline, identity, takeOver, standby }, events);
}

/** `partitionCount` partitions share the read-ahead; `onReady` is called when a plan could have a different result. */
export function createDirectSource(
  { batch, source }: PipelineSpec,
  driver: KafkaDriver,
  partitionCount: number,
  clock: Clock,
  onReady: () => void,
): DirectSource {
  const { onDataLoss, bufferedBytesMax } = source;
  return new DirectSource(driver, { ...batch, onDataLoss, bufferedBytesMax }, partitionCount, clock, onReady);
}

export function createScheduler(
  spec: PipelineSpec,
  sink: Sink,
  actions: ActionEnvironment,
  beacon: ProgressBeacon | undefined,
  onFenced: ConstructorParameters<typeof Scheduler>[2]['onFenced'],
): Scheduler {
  const { pipeline, batch, onError, transformTimeoutMs: timeoutMs } = spec;
  const { attempts } = onError;
  return new Scheduler(batch, new RateController(batch.backpressure, batch.intervalMs, actions.events), {
    ...actions,
    sink,
    stage: new TransformStage({ pipeline, attempts, timeoutMs, clock: actions.clock, beacon }),
    transform: transformOf(spec.transform),
    policy: onError,
    onFenced,
  });
}

/** Refuses a promise that sink and store cannot keep, before anything connects. */
export function checkDelivery(asked: DeliveryGuarantee, sink: Sink): void {
  const strength = (guarantee: DeliveryGuarantee) => deliveryGuarantees.indexOf(guarantee);
  if (strength(sink.guarantee) >= strength(asked)) return;
  throw new TidemarkError(
    'DELIVERY_IMPOSSIBLE',
    `delivery: ${asked} was asked for, but a ${sink.kind} sink with this offset store gives ${sink.guarantee} at best`,
    {
      path: 'delivery',
      hint: `Ask for delivery: ${sink.guarantee}, or choose a sink that holds the ledger in its own transactions.`,
    },
  );
}

/** A transform as the options have it, as the scheduler wants it. */
function transformOf(transform: unknown): { record: RecordTransform } | { batch: BatchTransform } | undefined {
  if (transform === undefined) return undefined;
  if (typeof transform === 'function') return { record: transform as RecordTransform };
  const batch = (transform as { batch?: unknown }).batch;
  if (typeof batch === 'function') return { batch: batch as BatchTransform };
  throw new TidemarkError(
    'CONFIG_INVALID',
    'transform: expected a function, or an object with a function named batch',
    {
      path: 'transform',
    },
  );
}
