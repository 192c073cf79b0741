/**
 * What operators do with the progress of pipelines: look, prove, move. The door `tidemark/offsets`; the commands
 * `tidemark offsets` are these functions with a command line around.
 */
export { createDriver, type KafkaClientOptions, type KafkaDriver } from '../kafka/index.ts';
export { openPlace, type PlaceOptions, type StorePlace } from '../offsets/index.ts';
export type { ApplyOptions } from './applyMoves.ts';
export { type Choice, type ChosenTopic, parseChosenTopic } from './choice.ts';
export { type CloneOptions, clonePositions } from './clonePositions.ts';
export {
  type ComparedPosition,
  type CompareOptions,
  comparePositions,
  type PositionDifference,
} from './comparePositions.ts';
export {
  type DescribedPartition,
  type DescribeOptions,
  describeProgress,
  lateWarning,
  type PartitionOwner,
  type ProgressDescription,
} from './describe.ts';
export { type ExportedPosition, exportCsv, exportText } from './exportText.ts';
export { type HistoryEntry, type HistoryOptions, readHistory } from './history.ts';
export { type ImportOptions, importPositions } from './importPositions.ts';
export type { ImportProblem } from './importProblems.ts';
export { type ImportedFile, type ImportedPosition, parseImport, readImport } from './importText.ts';
export { type LagSeconds, type LagSecondsOptions, readLagSeconds } from './lagSeconds.ts';
export { type LagSummary, summariseLag, type TopicLag } from './lagSummary.ts';
export { type Finding, LedgerProof, type PartitionProof, type ProofRule, proofRules, proveEnd } from './ledgerProof.ts';
export { type ListedProgress, type ListSource, listProgress } from './list.ts';
export { mirrorPositions } from './mirrorPositions.ts';
export { type MovePlan, type ResetOptions, reset } from './movePlan.ts';
export { type OpenProgress, openProgress, type ProgressSource } from './openProgress.ts';
export { type OrderOptions, pause, type Resumed, resume } from './orders.ts';
export { type Peeked, type PeekedRecord, type PeekOptions, peek } from './peek.ts';
export type { PlannedMove } from './planned.ts';
export { type PartitionPosition, type PositionState, readPositions } from './positions.ts';
export type { Progress, TopicSelection } from './progress.ts';
export { readRows } from './readRows.ts';
export type { Recount, RecountRule } from './recount.ts';
export { type RemoveOptions, removePositions } from './remove.ts';
export type { RowCheck, RowRule } from './rowProof.ts';
export { type SkipOptions, type SkipPlan, skip } from './skip.ts';
export type { ResetTarget } from './targets.ts';
export { type VerifiedPartition, type VerifyOptions, type VerifyStep, verify } from './verify.ts';
export { type DeeplyVerified, type DeepOptions, type RowTarget, verifyDeep } from './verifyDeep.ts';
