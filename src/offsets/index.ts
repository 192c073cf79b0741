export { requireAccounted } from './accounting.ts';
export { type ClaimOptions, decideClaim, isAlive } from './decideClaim.ts';
export { type FirstPositionRules, type NewPartition, planFirstPositions } from './firstPosition.ts';
export { type CommittedRange, type Control, concerns, type RangeKind, rangeKinds } from './ledgerEntries.ts';
export { isMirrorMetadata, mirrorMetadata } from './mirrorMetadata.ts';
export type {
  NewControl,
  OperatorCalls,
  PositionMove,
  RangesQuery,
  SeenRow,
} from './operatorCalls.ts';
export { judgePosition, judgePositions, type PositionVerdict, type ReadUpTo } from './positionVerdict.ts';
export { explainLowerPosition, resolveInDoubt } from './resolveInDoubt.ts';
export {
  type ClaimOutcome,
  type ClaimRequest,
  type FirstPosition,
  type HeldClaim,
  lagOf,
  type OffsetStore,
  type OwnerStatus,
  type PartitionState,
  partitionStates,
  type RangeCommit,
  type StoreCapabilities,
  type StoredOffset,
} from './store.ts';
export type { StorePlace } from './storePlace.ts';
export { openPlace, type PlaceOptions } from './stores/openPlace.ts';
