export { requireAccounted } from './accounting.ts';
export { type ClaimOptions, decideClaim, heartbeatTimeoutMs } from './decideClaim.ts';
export { type FirstPositionRules, type NewPartition, planFirstPositions } from './firstPosition.ts';
export { judgePosition, judgePositions, type PositionVerdict, type ReadUpTo } from './positionVerdict.ts';
export { explainLowerPosition, resolveInDoubt } from './resolveInDoubt.ts';
export {
  type ClaimOutcome,
  type ClaimRequest,
  type CommittedRange,
  type Control,
  type FirstPosition,
  type HeldClaim,
  lagOf,
  type OffsetStore,
  type OwnerStatus,
  type PartitionState,
  partitionStates,
  type RangeCommit,
  type RangeKind,
  rangeKinds,
  type StoreCapabilities,
  type StoredOffset,
} from './store.ts';
