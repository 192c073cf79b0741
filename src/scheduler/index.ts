export type {
  BatchPlan,
  BatchSource,
  PlannablePartition,
  ReadyPlan,
  SourcePosition,
} from './batchSource.ts';
export { Degradation } from './degradation.ts';
export {
  type ActionEnvironment,
  asTidemarkError,
  commitGap,
  park,
  tampered,
  whileStoreAway,
} from './partitionActions.ts';
export { RateController } from './rateController.ts';
export { Scheduler } from './scheduler.ts';
export { Slot } from './slot.ts';
export {
  type BatchTransform,
  type RecordTransform,
  type TransformContext,
  type TransformResult,
  TransformStage,
} from './transformStage.ts';
