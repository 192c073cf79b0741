export { makeFile, temporarySuffix } from './atomicFile.ts';
export { backoffMs, type Clock, systemClock, turnEventLoop, unlessAborted, withDeadline } from './clock.ts';
export { crc32c } from './crc32c.ts';
export { type DurableFile, type DurableFiles, nodeFiles } from './durableFiles.ts';
export {
  type FailpointName,
  type FileFailpointName,
  failpoint,
  failpointIsArmed,
  failpointNames,
  fileFailpointNames,
  type ReceiverFailpointName,
  receiverFailpointNames,
  type WalFailpointName,
  walFailpointNames,
} from './failpoints.ts';
export { errnoOf, isNoRoom } from './fileErrors.ts';
export { readFileBytes } from './files.ts';
export { identifyProcess, newClaimToken, type ProcessIdentity, processLives, processStartTicks } from './identity.ts';
export { nearestName } from './nearestName.ts';
export { requireOptionalPackage } from './optionalPackage.ts';
export {
  acquireLock,
  findHolder,
  type HeldLock,
  type LockHolder,
  type LockPlace,
  type LockProcesses,
  systemProcesses,
} from './processLock.ts';
export { createProgressBeacon, type Progress, type ProgressBeacon, readProgress } from './progressBeacon.ts';
export { StallMeter } from './stallMeter.ts';
export { Turns } from './turns.ts';
