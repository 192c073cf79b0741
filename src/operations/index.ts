/**
 * What operators do with the progress of pipelines: look, prove, move. The door `tidemark/offsets`; the commands
 * `tidemark offsets` are these functions with a command line around.
 */
export type { ApplyOptions } from './applyMoves.ts';
export { type Choice, type ChosenTopic, parseChosenTopic } from './choice.ts';
export { type ExportedPosition, exportCsv, exportText } from './exportText.ts';
export { type MovePlan, type PlannedMove, type ResetOptions, reset } from './movePlan.ts';
export { type OpenProgress, openProgress, type ProgressSource } from './openProgress.ts';
export { type OrderOptions, pause, type Resumed, resume } from './orders.ts';
export { type PartitionPosition, type PositionState, readPositions } from './positions.ts';
export type { Progress, TopicSelection } from './progress.ts';
export { type RemoveOptions, removePositions } from './remove.ts';
export { type SkipOptions, type SkipPlan, skip } from './skip.ts';
export type { ResetTarget } from './targets.ts';
