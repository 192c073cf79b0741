/**
 * What operators do with the progress of pipelines: look, prove, move. The door `tidemark/offsets`; the commands
 * `tidemark offsets` are these functions with a command line around.
 */
export type { ApplyOptions } from './applyMoves.ts';
export { type Choice, type ChosenTopic, parseChosenTopic } from './choice.ts';
export { type ExportedPosition, exportCsv, exportText } from './exportText.ts';
export {
  type DescribedPartition,
  type DescribeOptions,
  describeProgress,
  lateWarning,
  type PartitionOwner,
  type ProgressDescription,
} from './describe.ts';
export { type LagSeconds, type LagSecondsOptions, readLagSeconds } from './lagSeconds.ts';
export { type LagSummary, summariseLag, type TopicLag } from './lagSummary.ts';
export { type ListedProgress, type ListSource, listProgress } from './list.ts';
export { type MovePlan, type PlannedMove, type ResetOptions, reset } from './movePlan.ts';
export { type OpenProgress, openProgress, type ProgressSource } from './openProgress.ts';
export { type OrderOptions, pause, type Resumed, resume } from './orders.ts';
export { type PartitionPosition, type PositionState, readPositions } from './positions.ts';
export type { Progress, TopicSelection } from './progress.ts';
export { type RemoveOptions, removePositions } from './remove.ts';
export { type SkipOptions, type SkipPlan, skip } from './skip.ts';
export type { ResetTarget } from './targets.ts';
