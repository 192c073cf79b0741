import { DirectSource } from '../direct/index.ts';
import { TidemarkError } from '../errors.ts';
import type { CommitGroupOffsets, KafkaDriver } from '../kafka/index.ts';
import type { Clock, ProcessIdentity, ProgressBeacon } from '../platform/index.ts';
import type { ReceiverModeSurroundings } from '../receiver/index.ts';
import {
  type ActionEnvironment,
  type BatchTransform,
  RateController,
  type RecordTransform,
  Scheduler,
  TransformStage,
} from '../scheduler/index.ts';
import type { Sink } from '../sinks/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import { AllAssignment } from './allAssignment.ts';
import type { Assignment } from './assignment.ts';
import { type AssignmentHandler, GroupAssignment } from './groupAssignment.ts';
import { Intake } from './intake.ts';
import { KafkaPartitions } from './kafkaPartitions.ts';
import { MixedAssignment } from './mixedAssignment.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import type { StartOptions } from './publicTypes.ts';
import { openReceiverIntake } from './receiverWiring.ts';
import type { Services } from './services.ts';

/** Who decides which partitions this process works on; without a driver there is no group. */
export function createAssignment(
  spec: PipelineSpec,
  { takeOver = false, standby = true }: StartOptions,
  identity: ProcessIdentity,
  driver: KafkaDriver | undefined,
  clock: Clock,
  events: EventHub,
  handler: AssignmentHandler,
): { readonly assignment: Assignment; readonly group: GroupAssignment | undefined } {
  const all = new AllAssignment({ pipeline: spec.pipeline, identity, takeOver, standby }, events);
  if (spec.source.assignment !== 'group' || driver === undefined) return { assignment: all, group: undefined };
  const group = new GroupAssignment(driver, spec, handler, clock, events);
  return { assignment: new MixedAssignment(group, all), group };
}

/** What the intake needs beside the services; `onReady`: a plan could have a different result. */
export interface IntakeSurroundings extends Omit<ReceiverModeSurroundings, 'store'> {
  /** Who commits the group's offsets: a group with members takes them from its members only. */
  readonly groupAssignment: () => GroupAssignment | undefined;
}

/** Where the records come from. */
export function openIntake(spec: PipelineSpec, { sink, driver }: Services, on: IntakeSurroundings): Promise<Intake> {
  if (spec.source.mode === 'direct') return openDirectIntake(spec, driver, on);
  const { groupId = spec.pipeline } = spec.source;
  const commitGroupOffsets: CommitGroupOffsets = async (offsets) => {
    const group = on.groupAssignment();
    await (group === undefined ? driver?.commitOffsets(groupId, offsets) : group.commitOffsets(offsets));
  };
  return openReceiverIntake(spec, driver, commitGroupOffsets, { ...on, store: sink.store });
}

async function openDirectIntake(
  spec: PipelineSpec,
  driver: KafkaDriver | undefined,
  { clock, onReady }: IntakeSurroundings,
): Promise<Intake> {
  if (driver === undefined) throw new TidemarkError('INVARIANT_BROKEN', 'direct mode without Kafka', { path: 'kafka' });
  const { onDataLoss, bufferedBytesMax } = spec.source;
  const kafka = new KafkaPartitions(spec, driver);
  const partitionCount = (await kafka.select()).length;
  const options = { ...spec.batch, onDataLoss, bufferedBytesMax };
  const source = new DirectSource(driver, options, partitionCount, clock, onReady);
  return new Intake(source, () => source.closeAll(), kafka);
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
